"""The measurement of the exercise ``refresh-ahead``: the requests that wait for a load of a popular product."""

import re
import time

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, screen_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import StoreClient
from shop.switches.parameters import TTL_SCALE

PRODUCTS = own_slugs("refresh-ahead", 1)
SCALE = 0.01
"""Five minutes are three seconds."""
SECONDS, EVERY_S = 10.0, 0.02
WAITED = re.compile(r"shop-shared; fwd=(miss|stale)\b")


def count_waits(store: StoreClient, seed: int) -> float:
    """Return how many requests load the product themselves.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the cache is bypassed.
    """
    sell_products(store, PRODUCTS)
    path = screen_path(PRODUCTS[0])
    began, waits = time.monotonic(), 0
    for number in range(int(SECONDS / EVERY_S)):
        time.sleep(max(0.0, began + number * EVERY_S - time.monotonic()))
        status = store.cache_status(path)
        if "shop-shared" not in status or "fwd=bypass" in status.partition("shop-local")[0]:
            raise CannotJudge(f"The cache is bypassed (Cache-Status: {status or 'missing'}). Is Valkey down?")
        waits += bool(WAITED.search(status))
    return float(waits)


MEASUREMENT = StoreMeasurement(
    count_waits,
    {
        "cache.edge": "off",
        "cache.local": "off",
        "cache.shared": "on",
        "cache.jitter": "off",
        "cache.stampede": "refresh-ahead",
    },
    PRODUCTS,
    f"requests for one product, {1 / EVERY_S:g} a second for {SECONDS:g} seconds, while an entry lives three seconds",
    "Who loads in the last fifth of an entry's life, and who loads the very first one?",
    parameters={TTL_SCALE: SCALE},
    seconds=14,
)
