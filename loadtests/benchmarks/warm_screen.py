"""Warm answers of the store beside bare Flask views that return the same bytes.

    .venv/bin/python loadtests/benchmarks/warm_screen.py [screen|page|shared …] [--rounds 5] [--seconds 3] [--size s]

``screen`` and ``page`` are the product screen (JSON) and page (HTML) from a process's own copies, beside a view that
holds the bytes. ``shared`` is the page from Valkey, with local copies off, beside a view that does one raw GET on the
same Valkey. All run under gunicorn with the store's own settings, on servers this script starts and stops; both sides
are driven in turn by the same client. Exit code 1 when a promised ratio is not reached.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from arms import interleaved, show
from bare_view import CACHE_VARIABLE, FOLDER_VARIABLE
from keep_alive import requests_per_second
from servers import answers, flip, get, popular, running, serve

from shop.settings import Settings
from shop.stack.program import ServerProgram, free_port

WARM_UP_REQUESTS = 200
"""Enough for every thread of every worker to have its connection."""
BARE = (sys.executable, "-m", "gunicorn", "-c", "python:shop.stack.gunicorn_conf", "bare_view:create_app()")


@dataclass(frozen=True)
class Pair:
    """One comparison.

    Args:
        title: says what is compared.
        path: the store's address, with the slug to be filled in.
        bare: the bare view's.
        promise: the least ratio of the store's requests a second to the bare view's.
        switches: how the store's stand, where not at their defaults.
    """

    title: str
    path: str
    bare: str
    promise: float
    switches: dict[str, str] = field(default_factory=dict)


PAIRS = {
    "screen": Pair("product screen (JSON), from local memory", "/api/v1/screens/product/{}", "/screen/{}", 0.70),
    "page": Pair("product page (HTML), from local memory", "/p/{}", "/page/{}", 0.75),
    "shared": Pair("product page (HTML), from Valkey", "/p/{}", "/shared/{}", 0.85, {"cache.local": "off"}),
}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="*", metavar="|".join(PAIRS), help="which comparisons; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--size", default="s")
    asked = parser.parse_args()
    if unknown := set(asked.pairs) - set(PAIRS):
        parser.error(f"no such comparison: {', '.join(sorted(unknown))}; there are {', '.join(PAIRS)}")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-warm-")))
        home.chmod(0o755)
        settings = serve(stack, home, asked.size)
        slug = popular(settings)
        for name in ("screen", "page"):
            (home / name).write_bytes(get(settings.port, PAIRS[name].path.format(slug)))
        bare_port = _start_bare(stack, home, settings)
        broken = [_compare(PAIRS[name], settings.port, bare_port, slug, asked) for name in asked.pairs or list(PAIRS)]
    return int(any(broken))


def _compare(pair: Pair, port: int, bare_port: int, slug: str, asked: argparse.Namespace) -> bool:
    """Measure one pair and print it; tell whether its promise is broken."""
    for name, value in pair.switches.items():
        flip(port, name, value)
    sides = {"store, warm": (port, pair.path.format(slug)), "bare Flask view": (bare_port, pair.bare.format(slug))}
    for side in sides.values():
        for _ in range(WARM_UP_REQUESTS):
            body = get(*side)
    found = interleaved(
        {
            name: lambda side=side: requests_per_second(*side, asked.seconds, asked.connections)
            for name, side in sides.items()
        },
        asked.rounds,
    )
    ratio = show(f"{pair.title}, {len(body):,} bytes, {asked.connections} connections", "requests/s", found)
    print(f"  promised at least {pair.promise}: {'kept' if ratio >= pair.promise else 'BROKEN'}")
    for name in pair.switches:
        flip(port, name, "on")
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
    stack.enter_context(running(ServerProgram("bare", BARE, port, lambda: answers(port, "/screen/x"), env), home))
    return port


if __name__ == "__main__":
    sys.exit(main())
