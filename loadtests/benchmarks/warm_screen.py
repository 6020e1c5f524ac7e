"""Compares warm answers of the store with bare Flask views that return the same bytes.

    .venv/bin/python loadtests/benchmarks/warm_screen.py [screen|page|shared …] [--rounds 5] [--seconds 3] [--size s]

``screen`` and ``page`` are the product screen (JSON) and page (HTML) from local memory, compared with a view that holds
the bytes. ``shared`` is the page from Valkey with local memory off, compared with a view that sends one raw GET to the
same Valkey. All run under gunicorn with the store's own settings, on servers that this script starts and stops. The
same client loads both sides in turn. Exit code 1 if a promised ratio is not reached.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from arms import interleaved, show
from bare_view import CACHE_VARIABLE, FOLDER_VARIABLE
from keep_alive import requests_per_second
from servers import get, is_answering, most_popular_product, running, serve, set_switch

from shop.settings import Settings
from shop.stack.program import ServerProgram, free_port

WARM_UP_REQUESTS = 200
"""Enough requests for every thread of every worker to open its connection."""
BARE = (sys.executable, "-m", "gunicorn", "-c", "python:shop.stack.gunicorn_conf", "bare_view:create_app()")


@dataclass(frozen=True)
class WarmComparison:
    """One comparison.

    Args:
        title: the heading.
        path: the store's path; the slug is filled in.
        bare: the bare view's path.
        promise: the least ratio of the store's requests a second to those of the bare view.
        switches: the store's switches that differ from their defaults.
    """

    title: str
    path: str
    bare: str
    promise: float
    switches: dict[str, str] = field(default_factory=dict)


PAIRS = {
    "screen": WarmComparison(
        "product screen (JSON), from local memory", "/api/v1/screens/product/{}", "/screen/{}", 0.70
    ),
    "page": WarmComparison("product page (HTML), from local memory", "/p/{}", "/page/{}", 0.75),
    "shared": WarmComparison("product page (HTML), from Valkey", "/p/{}", "/shared/{}", 0.85, {"cache.local": "off"}),
}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="*", metavar="|".join(PAIRS), help="names of comparisons; by default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--size", default="s")
    arguments = parser.parse_args()
    if unknown := set(arguments.pairs) - set(PAIRS):
        parser.error(f"no such comparison: {', '.join(sorted(unknown))}; there are {', '.join(PAIRS)}")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-warm-")))
        home.chmod(0o755)
        settings = serve(stack, home, arguments.size)
        slug = most_popular_product(settings)
        for name in ("screen", "page"):
            (home / name).write_bytes(get(settings.port, PAIRS[name].path.format(slug)))
        bare_port = _start_bare(stack, home, settings)
        broken = [
            _compare(PAIRS[name], settings.port, bare_port, slug, arguments) for name in arguments.pairs or list(PAIRS)
        ]
    return int(any(broken))


def _compare(pair: WarmComparison, port: int, bare_port: int, slug: str, arguments: argparse.Namespace) -> bool:
    """Measure and print one comparison; return whether its promise is broken."""
    for name, value in pair.switches.items():
        set_switch(port, name, value)
    sides = {"store, warm": (port, pair.path.format(slug)), "bare Flask view": (bare_port, pair.bare.format(slug))}
    for side in sides.values():
        for _ in range(WARM_UP_REQUESTS):
            body = get(*side)
    figures = interleaved(
        {
            name: partial(requests_per_second, *side, arguments.seconds, arguments.connections)
            for name, side in sides.items()
        },
        arguments.rounds,
    )
    ratio = show(f"{pair.title}, {len(body):,} bytes, {arguments.connections} connections", "requests/s", figures)
    print(f"  promised at least {pair.promise}: {'kept' if ratio >= pair.promise else 'BROKEN'}")
    for name in pair.switches:
        set_switch(port, name, "on")
    return ratio < pair.promise


def _start_bare(stack: ExitStack, home: Path, settings: Settings) -> int:
    port = free_port()
    bare = settings.model_copy(update={"port": port, "metrics_port": free_port(), "var_dir": home / "bare"})
    env = {
        **bare.as_environment(),
        FOLDER_VARIABLE: str(home),
        CACHE_VARIABLE: str(settings.cache_url),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    stack.enter_context(running(ServerProgram("bare", BARE, port, lambda: is_answering(port, "/screen/x"), env), home))
    return port


if __name__ == "__main__":
    sys.exit(main())
