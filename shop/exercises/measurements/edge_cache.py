"""The measurement of the exercise ``edge-cache``: the requests for one page that reach the application."""

import time
from collections.abc import Mapping

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, page_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import StoreClient
from shop.money import CURRENCY

PRODUCTS = own_slugs("edge-cache", 1)
PURGE_S = 6.0
"""After a change, the purger repeats its purge while a process may still have an older copy."""
VARIANTS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("", {}),
    ("", {}),
    ("", {}),
    ("?utm_source=letter", {}),
    ("?utm_source=poster", {}),
    ("", {"Cookie": "seen=1"}),
    ("", {"Cookie": "seen=2"}),
)
SIGNED_IN = 2
"""Requests with ``Authorization``."""
AFTER_CHANGE = 3
REQUESTS = len(VARIANTS) + SIGNED_IN + AFTER_CHANGE


def count_reached(store: StoreClient, seed: int) -> float:
    """Return how many requests for one page reach the application.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the store runs without its edge.
    """
    sell_products(store, PRODUCTS)
    path = page_path(PRODUCTS[0])
    _reaches(store, path, {})  # before the wait: is there an edge at all?
    sell_products(store, PRODUCTS)
    time.sleep(PURGE_S)
    reached = sum(_reaches(store, path + query, headers) for query, headers in VARIANTS)
    reached += sum(_reaches(store, path, store.admin_headers()) for _ in range(SIGNED_IN))
    price = store.price(PRODUCTS[0])
    store.update_product(PRODUCTS[0], price={"amount": price + 1, "currency": CURRENCY})
    reached += sum(_reaches(store, path, {}) for _ in range(AFTER_CHANGE))
    return float(reached)


def _reaches(store: StoreClient, path: str, headers: Mapping[str, str]) -> bool:
    """Return whether the edge forwards a request."""
    response = store.fetch_any(path, headers)
    status = response.headers.get("Cache-Status", "")
    if response.status_code != 200 or "shop-edge" not in status:
        raise CannotJudge(
            f"{path} was answered {response.status_code} with the Cache-Status {status or 'missing'!r}: is the store"
            " started without its edge? `bin/shop status` shows it."
        )
    return "shop-edge; hit" not in status


MEASUREMENT = StoreMeasurement(
    count_reached,
    {"cache.edge": "on", "cache.invalidation": "event"},
    PRODUCTS,
    f"{REQUESTS} requests for one product page, of them {AFTER_CHANGE} after a change of its price",
    "Which part of a request is in the edge's cache key, and which requests does the edge never answer?",
    seconds=10,
)
