"""The measurement of the exercise ``write-through``: the first reads after an edit that have to load."""

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.hit_rate import MISS
from shop.exercises.measurements.own_products import own_slugs, screen_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.cache_status import answer_source
from shop.lab.store_client import API, StoreClient
from shop.money import CURRENCY

PRODUCTS = own_slugs("write-through", 10)


def count_loads(store: StoreClient, seed: int) -> float:
    """Return how many of the reads right after the edits load from the database.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the cache is bypassed.
    """
    category = sell_products(store, PRODUCTS)
    store.visit_all([screen_path(slug) for slug in PRODUCTS])
    loads = 0
    for number, slug in enumerate(PRODUCTS):
        store.update_product(slug, price={"amount": 500 + number, "currency": CURRENCY})
        for path in (screen_path(slug), f"{API}/products?category={category}&sort=newest"):
            loads += _loads(store, path)
        store.update_product(slug, price={"amount": 100, "currency": CURRENCY})
    return float(loads)


def _loads(store: StoreClient, path: str) -> bool:
    status = store.cache_status(path)
    is_load, is_hit = bool(MISS.search(status)), answer_source(200, status) == "shared"
    if is_load == is_hit:
        raise CannotJudge(f"{path} came neither from Valkey nor after a miss in it (Cache-Status: {status}).")
    return is_load


MEASUREMENT = StoreMeasurement(
    count_loads,
    {"cache.edge": "off", "cache.local": "off", "cache.shared": "on", "cache.invalidation": "write-through"},
    PRODUCTS,
    f"{len(PRODUCTS)} edits of a price, and after each of them one read of the product's screen and one of a list",
    "Which entries does the writer read through the cache after its commit, and which not?",
    seconds=5,
)
