"""What the last piece of a product costs, and how soon every list says that it is gone. The store must be running.

    .venv/bin/python loadtests/benchmarks/last_piece.py [URL] [--rounds 20]

A round: two pieces of a product are put on the shelf, everything that shows it is read until the edge keeps it, and
both are bought, one after the other. The first sale crosses nothing; the second takes the last piece and ends its
category and department, the home page, searches, its own pages and those that show it beside another product. The
lists are then read in turn until all of them say "sold out". Beside that, the same reads while nothing happens.

Promise: on an idle store every list agrees within 0.5 s. Exit code 1 when it is broken.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote_plus

import httpx
from arms import show

from shop.lab.guest_client import GuestClient
from shop.lab.store_client import API, StoreClient
from shop.settings import load_settings
from shop.stack.endpoints import web_url

AGREED_S = 0.5
PATIENCE_S = 40.0
FIRST, LAST = "the one before", "the last piece"
KEPT, ENDED = "what is kept", "what has just ended"
SOLD_OUT = "Sold out"


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", nargs="?", default=web_url(load_settings()))
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    store = StoreClient(asked.url)
    store.check_ready()
    seen = Figures()
    with httpx.Client(base_url=store.base_url, trust_env=False) as client:
        for slug in store.products(asked.rounds):
            _look(store, client, slug, seen)
    store.close()
    show("A checkout", "ms", seen.sales)
    show("Reads of what shows the product", "ms", seen.reads)
    print(
        "The last answer that still offered it was given after"
        f" {statistics.median(seen.agreed):.3f} s, at most {max(seen.agreed):.3f} s"
    )
    return int(max(seen.agreed) > AGREED_S)


@dataclass
class Figures:
    """What the rounds came to: milliseconds of checkouts and reads, seconds until all agreed."""

    sales: dict[str, list[float]] = field(default_factory=lambda: {LAST: [], FIRST: []})
    reads: dict[str, list[float]] = field(default_factory=lambda: {ENDED: [], KEPT: []})
    agreed: list[float] = field(default_factory=list)


def _look(store: StoreClient, client: httpx.Client, slug: str, seen: Figures) -> None:
    """Sell two pieces of a product, the second being the last."""
    paths = _showing(client, slug)
    store.update_product(slug, on_hand=2)

    def read() -> list[float]:
        return [_timed(partial(client.get, path)) for path in paths]

    def offering() -> list[str]:
        return [path for path in paths if _offers(client, path, slug)]

    _until(lambda: offering() == paths)
    seen.sales[FIRST].append(_buy(store, slug))
    seen.reads[KEPT] += read()
    seen.sales[LAST].append(_buy(store, slug))
    seen.agreed.append(0.0)
    sold = time.perf_counter()
    seen.reads[ENDED] += read()

    def all_agree() -> bool:
        stale = offering()
        if stale:
            seen.agreed[-1] = time.perf_counter() - sold
        return not stale

    _until(all_agree)
    store.update_product(slug, on_hand=50)


def _showing(client: httpx.Client, slug: str) -> list[str]:
    """Return what shows a product: lists, searches, the home page and the products it is shown beside."""
    screen = client.get(f"{API}/screens/product/{slug}").raise_for_status().json()
    words, category = quote_plus(screen["product"]["title"]), screen["product"]["category"]["slug"]
    places = [crumb["url"] for crumb in screen["breadcrumbs"]][:-1]
    calls = [f"?category={category}&limit=100", f"?q={words}", f"?category={category}&in_stock=true&limit=100"]
    beside = [
        f"/p/{card['slug']}"
        for card in screen["also_bought"]
        if any(other["slug"] == slug for other in _items(client, f"{API}/products/{card['slug']}/related"))
    ]
    every = [*places, f"/search?q={words}", f"/p/{slug}", *beside, *(f"{API}/products{query}" for query in calls)]
    return [path for path in every if _offers(client, path, slug) is not None]


def _items(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(path).raise_for_status().json()["items"]
    return found


def _offers(client: httpx.Client, path: str, slug: str) -> bool | None:
    """Tell whether an answer offers a product; ``None`` where it does not show it at all."""
    answer = client.get(path).raise_for_status()
    if path.startswith(API):
        shown = {str(card["slug"]): bool(card["in_stock"]) for card in answer.json()["items"]}
        return shown.get(slug)
    if path == f"/p/{slug}":
        return 'data-level="none"' not in answer.text
    cards = [card.partition("</article>")[0] for card in answer.text.split("<article")[1:]]
    return next((SOLD_OUT not in card for card in cards if f'href="/p/{slug}"' in card), None)


def _buy(store: StoreClient, slug: str) -> float:
    """Buy a piece; return the milliseconds the checkout took."""
    with GuestClient(store.base_url) as shopper:
        shopper.add_to_cart(slug)
        return _timed(shopper.check_out)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("it never happened")


if __name__ == "__main__":
    sys.exit(main())
