"""The measurement of the exercise ``local-cache``: the requests that pass the copies in the processes' memory."""

import time

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, screen_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("local-cache", 1)
REQUESTS = 600
EVERY_S = 0.02


def count_passed(store: StoreClient, seed: int) -> float:
    """Return how many requests for one product reach Valkey.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the processes keep no copies.
    """
    sell_products(store, PRODUCTS)
    path = screen_path(PRODUCTS[0])
    began, passed = time.monotonic(), 0
    for number in range(REQUESTS):
        time.sleep(max(0.0, began + number * EVERY_S - time.monotonic()))
        status = store.cache_status(path)
        if "shop-local; fwd=bypass" in status or "shop-local" not in status:
            raise CannotJudge(f"No copy may be kept (Cache-Status: {status or 'missing'}). Is Valkey down?")
        passed += "shop-local; hit" not in status
    return float(passed)


MEASUREMENT = StoreMeasurement(
    count_passed,
    {"cache.edge": "off", "cache.local": "on", "cache.shared": "on", "cache.stampede": "lock"},
    PRODUCTS,
    f"{REQUESTS} requests for one product in {REQUESTS * EVERY_S:g} seconds, one after the other",
    "A copy lives at most five seconds. How many processes have one, and how often does each replace it?",
    seconds=15,
)
