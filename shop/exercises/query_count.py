"""Reads from a response of the running store how many queries it took."""

import re

from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import StoreClient

_QUERIES = re.compile(r'desc="(\d+) quer')


def count_queries(store: StoreClient, path: str) -> float:
    """Return the number of queries that the ``Server-Timing`` header of a response names.

    Args:
        store: the running store.
        path: of the API; ``{product}`` stands for the slug of the most popular product.

    Raises:
        CannotJudge: a cache in front of the application answered, so the header is missing.
        ServiceUnavailable: the store does not answer.
    """
    path = path.replace("{product}", store.products(1)[0]) if "{product}" in path else path
    timing = store.fetch(path).headers.get("Server-Timing", "")
    match = _QUERIES.search(timing)
    if match is None:
        raise CannotJudge(f"The response to {path} names no queries (Server-Timing: {timing or 'missing'}).")
    return float(match[1])
