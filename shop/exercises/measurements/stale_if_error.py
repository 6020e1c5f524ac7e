"""The measurement of the exercise ``stale-if-error``: the requests that fail while the database is down."""

import time

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, screen_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.faults import NONE
from shop.lab.store_client import StoreClient
from shop.switches.parameters import TTL_SCALE

PRODUCTS = own_slugs("stale-if-error", 6)
NEVER_VIEWED = 1
REQUESTS_EACH = 4
DATABASE = "database"
SCALE = 0.01
EXPIRED_AFTER_S = 3.4
"""At this scale, five minutes are three seconds, and the ten minutes of stale-if-error are six."""
LIMIT_S = 8.0
OK, UNAVAILABLE = 200, 503


def count_failures(store: StoreClient, seed: int) -> float:
    """Return how many requests are answered with an error while the database is down.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the requests took so long that no stale value may be served any more, or got another status.
    """
    sell_products(store, PRODUCTS)
    began = time.monotonic()
    store.visit_all([screen_path(slug) for slug in PRODUCTS[NEVER_VIEWED:]])
    time.sleep(EXPIRED_AFTER_S)
    store.set_fault(DATABASE, "down")
    statuses = [store.fetch_any(screen_path(slug)).status_code for _ in range(REQUESTS_EACH) for slug in PRODUCTS]
    took_s = time.monotonic() - began
    store.set_fault(DATABASE, NONE)
    store.wait_ready()
    if took_s > LIMIT_S or not set(statuses) <= {OK, UNAVAILABLE}:
        raise CannotJudge(f"The requests took {took_s:.1f} s and were answered {sorted(set(statuses))}: too busy?")
    return float(statuses.count(UNAVAILABLE))


MEASUREMENT = StoreMeasurement(
    count_failures,
    {
        "cache.edge": "off",
        "cache.local": "off",
        "cache.shared": "on",
        "cache.stale_if_error": "on",
        "cache.jitter": "off",
        "cache.stampede": "lock",
    },
    PRODUCTS,
    f"{len(PRODUCTS)} products, {len(PRODUCTS) - NEVER_VIEWED} of them viewed before; their entries expired, the"
    f" database was killed, and each product was requested {REQUESTS_EACH} times",
    "For which products does the cache still have a last good value?",
    parameters={TTL_SCALE: SCALE},
    faults=(DATABASE,),
    seconds=12,
)
