"""Compares a hit at the edge with a file of the same bytes on the same nginx's disk.

    .venv/bin/python loadtests/benchmarks/edge_hit.py [--rounds 13] [--seconds 2] [--connections 16]

One nginx with the store's own configuration serves both: the product page from its cache, and a published file with the
bytes of the page. Both have the same log and the same client, and are measured in turn. Promises: hits reach at least
0.80 of the file's rate, and no request reaches the application, by the lines of its log. Exit code 1 if one is broken.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from arms import interleaved, show
from keep_alive import requests_per_second
from servers import get, most_popular_product, running, serve

from shop.settings import Settings
from shop.stack import edge
from shop.stack.program import free_port

PROMISE = 0.80
FILE = "/assets/benchmark/page.css"
"""A file name with a type that nginx knows; nginx does not check the content."""


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=13)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=16)
    arguments = parser.parse_args()
    executable = edge.find_binary()
    if executable is None:
        parser.error(edge.NO_NGINX)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-edge-")))
        home.chmod(0o755)
        web = serve(stack, home, "s", trusted_proxies="127.0.0.1")
        front = web.model_copy(update={"port": free_port()})
        stack.enter_context(running(edge.nginx(executable, front, f"127.0.0.1:{web.port}"), home))
        page = f"/p/{most_popular_product(web)}"
        body = get(front.port, page)
        file = front.edge_dir / "published" / "identity" / FILE.lstrip("/")
        file.parent.mkdir(parents=True)
        file.write_bytes(body)
        for path in (page, FILE):
            if get(front.port, path) != body:
                raise RuntimeError(f"{path} returns another page")
        before = _logged_requests(web)
        figures = interleaved(
            {
                name: partial(requests_per_second, front.port, path, arguments.seconds, arguments.connections)
                for name, path in {"edge hit": page, "file on disk": FILE}.items()
            },
            arguments.rounds,
        )
        reached = _logged_requests(web) - before
    ratio = show(f"product page, {len(body):,} bytes, {arguments.connections} connections", "requests/s", figures)
    print(f"  promised at least {PROMISE}: {'kept' if ratio >= PROMISE else 'BROKEN'}")
    print(f"  requests that reached the application, promised none: {reached}")
    return int(ratio < PROMISE or reached > 0)


def _logged_requests(web: Settings) -> int:
    """Return how many requests the application has logged."""
    return (web.log_dir / "web.jsonl").read_text().count('"event": "request"')


if __name__ == "__main__":
    sys.exit(main())
