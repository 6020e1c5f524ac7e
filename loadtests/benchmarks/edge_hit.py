"""A hit at the edge beside the same bytes from the same nginx's disk.

    .venv/bin/python loadtests/benchmarks/edge_hit.py [--rounds 13] [--seconds 2] [--connections 16]

Both are served by one nginx, the store's own configuration: the product page from its store of answers, and a published
file with the page's bytes. Same log, same client, in turn. Promises: a hit answers at least 0.80 of what the file does,
and none of its requests reaches the application, whose lines in the log are counted. Exit code 1 when either is broken.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from arms import interleaved, show
from keep_alive import requests_per_second
from servers import get, popular, running, serve

from shop.settings import Settings
from shop.stack import edge
from shop.stack.program import free_port

PROMISE = 0.80
FILE = "/assets/benchmark/page.css"
"""A name whose type nginx knows; what is in it does not matter to it."""


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=13)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=16)
    asked = parser.parse_args()
    executable = edge.find_binary()
    if executable is None:
        parser.error(edge.NO_NGINX)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-edge-")))
        home.chmod(0o755)
        web = serve(stack, home, "s", trusted_proxies="127.0.0.1")
        front = web.model_copy(update={"port": free_port()})
        stack.enter_context(running(edge.nginx(executable, front, f"127.0.0.1:{web.port}"), home))
        page = f"/p/{popular(web)}"
        body = get(front.port, page)
        file = front.edge_dir / "published" / "identity" / FILE.lstrip("/")
        file.parent.mkdir(parents=True)
        file.write_bytes(body)
        for path in (page, FILE):
            if get(front.port, path) != body:
                raise RuntimeError(f"{path} is another page")
        before = _lines(web)
        found = interleaved(
            {
                name: lambda path=path: requests_per_second(front.port, path, asked.seconds, asked.connections)
                for name, path in {"edge hit": page, "file on disk": FILE}.items()
            },
            asked.rounds,
        )
        reached = _lines(web) - before
    ratio = show(f"product page, {len(body):,} bytes, {asked.connections} connections", "requests/s", found)
    print(f"  promised at least {PROMISE}: {'kept' if ratio >= PROMISE else 'BROKEN'}")
    print(f"  requests that reached the application, promised none: {reached}")
    return int(ratio < PROMISE or reached > 0)


def _lines(web: Settings) -> int:
    """Return how many requests the application has logged."""
    return (web.log_dir / "web.jsonl").read_text().count('"event": "request"')


if __name__ == "__main__":
    sys.exit(main())
