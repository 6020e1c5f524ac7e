"""Measures queries and time of a cold product screen, compared with the same screen warm. The store must be running.

    .venv/bin/python loadtests/benchmarks/cold_screen.py [URL]

Promise: at most 8 queries for any product. Exit code 1 if it is broken.
"""

import re
import sys
import time

import httpx
from arms import show

from shop.lab.saved_state import restore_afterwards
from shop.lab.store_client import StoreClient
from shop.settings import load_settings
from shop.stack.endpoints import web_url

MOST_QUERIES = 8
PRODUCTS = 200
SWITCH = "cache.shared"
SETTLE_S = 1.2
"""Every process applies a switch within a second."""
QUERIES = re.compile(r'desc="(\d+) quer')


def main() -> int:
    """Measure and print; return the exit code."""
    settings = load_settings()
    store = StoreClient(sys.argv[1] if len(sys.argv) > 1 else web_url(settings))
    store.check_ready()
    slugs = store.products(PRODUCTS)
    restored = restore_afterwards(store, settings.var_dir / "lab", [SWITCH])
    with restored, httpx.Client(base_url=store.base_url, trust_env=False) as client:
        cold_ms, queries = _visit_screens(client, store, slugs, "off")
        warm_ms, _ = _visit_screens(client, store, slugs, "on", twice=True)
    store.close()
    show(f"{len(slugs)} product screens, one after another", "ms", {"cold": cold_ms, "warm": warm_ms})
    print(f"  queries a cold screen: at most {max(queries)}, at least {min(queries)}; promised at most {MOST_QUERIES}")
    return int(max(queries) > MOST_QUERIES)


def _visit_screens(
    client: httpx.Client, store: StoreClient, slugs: tuple[str, ...], cache: str, *, twice: bool = False
) -> tuple[list[float], list[int]]:
    store.set_switch(SWITCH, cache)
    time.sleep(SETTLE_S)
    times, queries = [], []
    for slug in slugs:
        for _ in range(1 + twice):
            began = time.perf_counter()
            answer = client.get(f"/api/v1/screens/product/{slug}").raise_for_status()
            elapsed_ms = (time.perf_counter() - began) * 1000
        times.append(elapsed_ms)
        match = QUERIES.search(answer.headers.get("server-timing", ""))
        queries.append(int(match.group(1)) if match else 0)
    return times, queries


if __name__ == "__main__":
    sys.exit(main())
