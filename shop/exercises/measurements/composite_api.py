"""The measurement of the exercise ``composite-api``: the requests of a browser for product pages without it."""

import re

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, page_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import API, StoreClient

PRODUCTS = own_slugs("composite-api", 10)
PART = re.compile(r'data-part="\w+" data-from="([^"]+)"')
STOCK = re.compile(r'data-stock="([^"]+)"')


def count_requests(store: StoreClient, seed: int) -> float:
    """Return how many requests a browser sends for the data of all pages, while each part is a call of its own.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a page or one of its parts is missing.
    """
    sell_products(store, PRODUCTS)
    requests = 0
    for slug in PRODUCTS:
        page = store.fetch_any(page_path(slug)).text
        parts = PART.findall(page)
        if not parts:
            raise CannotJudge(f"{page_path(slug)} names no parts: does the store follow the switch api.composite?")
        calls = [*parts, *(f"{API}/products/{name}/stock" for name in STOCK.findall(page))]
        for path in calls:
            store.visit(path)  # raises if the part does not exist
        requests += 1 + len(calls)
    return float(requests)


MEASUREMENT = StoreMeasurement(
    count_requests,
    {"api.composite": "off"},
    PRODUCTS,
    f"{len(PRODUCTS)} product pages, opened as a browser does while each part is a call of its own",
    "Request one page with `curl` and count the attributes data-part and data-stock in it.",
    seconds=4,
)
