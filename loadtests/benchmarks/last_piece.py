"""Measures the sale of a product's last piece, and how soon every list shows "sold out". The store must be running.

    .venv/bin/python loadtests/benchmarks/last_piece.py [URL] [--rounds 20]

In a round, a product gets two pieces of stock, all pages with the product are read until the edge has cached them, and
both pieces are bought, one after the other. The first sale invalidates no list. The second sells the last piece and
invalidates the lists of its category and department, the home page, searches, its own pages, and pages of other
products that show it. Then the pages are read in turn until all of them show "sold out". For comparison, the same pages
are read while they are cached.

Promise: on an idle store, every list agrees within 0.5 s. Exit code 1 if it is broken.
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

PROMISED_S = 0.5
TIMEOUT_S = 40.0
FIRST, LAST = "the piece before", "the last piece"
CACHED, INVALIDATED = "cached", "just invalidated"
SOLD_OUT = "Sold out"


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", nargs="?", default=web_url(load_settings()))
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    store = StoreClient(arguments.url)
    store.check_ready()
    figures = LastPieceFigures()
    with httpx.Client(base_url=store.base_url, trust_env=False) as client:
        for slug in store.products(arguments.rounds):
            _sell_two(store, client, slug, figures)
    store.close()
    show("A checkout", "ms", figures.sales)
    show("Reads of pages with the product", "ms", figures.reads)
    print(
        "The last answer that still offered the product came after"
        f" {statistics.median(figures.agreed_s):.3f} s, at most {max(figures.agreed_s):.3f} s"
    )
    return int(max(figures.agreed_s) > PROMISED_S)


@dataclass
class LastPieceFigures:
    """The figures of all rounds: milliseconds of checkouts and reads, and seconds until all pages agreed."""

    sales: dict[str, list[float]] = field(default_factory=lambda: {LAST: [], FIRST: []})
    reads: dict[str, list[float]] = field(default_factory=lambda: {INVALIDATED: [], CACHED: []})
    agreed_s: list[float] = field(default_factory=list)


def _sell_two(store: StoreClient, client: httpx.Client, slug: str, figures: LastPieceFigures) -> None:
    """Sell two pieces of a product; the second is the last one."""
    paths = _pages_with_product(client, slug)
    store.update_product(slug, on_hand=2)

    def read() -> list[float]:
        return [_time_ms(partial(client.get, path)) for path in paths]

    def offering() -> list[str]:
        return [path for path in paths if _offers(client, path, slug)]

    _wait_until(lambda: offering() == paths)
    figures.sales[FIRST].append(_buy(store, slug))
    figures.reads[CACHED] += read()
    figures.sales[LAST].append(_buy(store, slug))
    figures.agreed_s.append(0.0)
    sold = time.perf_counter()
    figures.reads[INVALIDATED] += read()

    def all_agree() -> bool:
        stale = offering()
        if stale:
            figures.agreed_s[-1] = time.perf_counter() - sold
        return not stale

    _wait_until(all_agree)
    store.update_product(slug, on_hand=50)


def _pages_with_product(client: httpx.Client, slug: str) -> list[str]:
    """Return the pages that show a product: lists, searches, the home page and pages of related products."""
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
    items: list[dict[str, Any]] = client.get(path).raise_for_status().json()["items"]
    return items


def _offers(client: httpx.Client, path: str, slug: str) -> bool | None:
    """Return whether a page offers a product; ``None`` if the page does not show it."""
    answer = client.get(path).raise_for_status()
    if path.startswith(API):
        shown = {str(card["slug"]): bool(card["in_stock"]) for card in answer.json()["items"]}
        return shown.get(slug)
    if path == f"/p/{slug}":
        return 'data-level="none"' not in answer.text
    cards = [card.partition("</article>")[0] for card in answer.text.split("<article")[1:]]
    return next((SOLD_OUT not in card for card in cards if f'href="/p/{slug}"' in card), None)


def _buy(store: StoreClient, slug: str) -> float:
    """Buy a piece; return the milliseconds of the checkout."""
    with GuestClient(store.base_url) as shopper:
        shopper.add_to_cart(slug)
        return _time_ms(shopper.check_out)


def _time_ms(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the pages did not change in time")


if __name__ == "__main__":
    sys.exit(main())
