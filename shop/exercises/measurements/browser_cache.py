"""The measurement of the exercise ``browser-cache``: the responses with a body that a returning browser gets."""

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, page_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import StoreClient
from shop.money import CURRENCY

PRODUCTS = own_slugs("browser-cache", 10)
VISITS = 3
CHANGED = 2
"""Products whose price changes before the last visit."""
OK, NOT_MODIFIED = 200, 304


def count_bodies(store: StoreClient, seed: int) -> float:
    """Return how many responses have a body, when a browser visits every product several times.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a response has no validator, or another status.
    """
    sell_products(store, PRODUCTS)
    validators: dict[str, str] = {}
    bodies = 0
    for visit in range(VISITS):
        if visit == VISITS - 1:
            for slug in PRODUCTS[:CHANGED]:
                store.update_product(slug, price={"amount": store.price(slug) + 1, "currency": CURRENCY})
        for slug in PRODUCTS:
            bodies += _visit(store, slug, validators)
    return float(bodies)


def _visit(store: StoreClient, slug: str, validators: dict[str, str]) -> bool:
    """Request a page as a browser does that stores it, and return whether the response has a body."""
    known = {"If-None-Match": validators[slug]} if slug in validators else {}
    response = store.fetch_any(page_path(slug), known)
    if response.status_code not in (OK, NOT_MODIFIED) or "ETag" not in response.headers:
        raise CannotJudge(f"{page_path(slug)} was answered {response.status_code}, or without an ETag.")
    validators[slug] = response.headers["ETag"]
    return response.status_code == OK


MEASUREMENT = StoreMeasurement(
    count_bodies,
    {"cache.browser": "on", "cache.invalidation": "event"},
    PRODUCTS,
    f"{VISITS} visits to each of {len(PRODUCTS)} product pages; before the last, {CHANGED} products get another price",
    "Which visits find a stored page, and in which of them is that page still the current one?",
    seconds=4,
)
