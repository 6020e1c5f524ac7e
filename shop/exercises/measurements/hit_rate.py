"""The measurement of the exercise ``hit-rate``: the hit rate of an empty cache under requests by Zipf's law."""

import random
import re

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, screen_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.arrivals import CLASSIC_EXPONENT, ZipfDistribution
from shop.lab.cache_status import answer_source
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("hit-rate", 40)
REQUESTS = 80
MISS = re.compile(r"shop-shared; fwd=(miss|stale)\b")
"""No entry, or an invalidated one, so that the response was loaded (RFC 9211)."""


def measure_hit_rate(store: StoreClient, seed: int) -> float:
    """Return the share of requests that the cache answered, in percent.

    Args:
        store: the running store.
        seed: of the requests.

    Raises:
        CannotJudge: the cache was bypassed, so that a miss says nothing.
    """
    sell_products(store, PRODUCTS)  # the cache is empty of them
    rng = random.Random(seed)
    popularity = ZipfDistribution(PRODUCTS, CLASSIC_EXPONENT)
    headers = [store.cache_status(screen_path(popularity.choose(rng))) for _ in range(REQUESTS)]
    misses = [header for header in headers if MISS.search(header)]
    hits = [header for header in headers if answer_source(200, header) == "shared"]
    unclear = [header for header in headers if header not in misses and header not in hits]
    if unclear:
        raise CannotJudge(
            f"{len(unclear)} of {REQUESTS} responses came neither from Valkey nor after a miss in it (Cache-Status:"
            f" {unclear[0] or 'missing'}). Is Valkey down, or the machine busy? `bin/shop status` shows it."
        )
    return 100 * len(hits) / REQUESTS


MEASUREMENT = StoreMeasurement(
    measure_hit_rate,
    {"cache.edge": "off", "cache.local": "off", "cache.shared": "on", "cache.invalidation": "event"},
    PRODUCTS,
    f"{REQUESTS} requests for {len(PRODUCTS)} products by Zipf's law, beginning with an empty cache",
    "Count the misses: each product that is requested at all misses once. How many of the 40 are never requested?",
    seconds=6,
)
