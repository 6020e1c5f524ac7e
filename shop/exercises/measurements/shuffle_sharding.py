"""The measurement of the exercise ``shuffle-sharding``: how many clients one poisonous client deprives of a page."""

import asyncio
import random
from collections import Counter

from shop.errors import ConfigurationError
from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, page_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.drivers.poisonous_client import poisonous_client
from shop.lab.guest_client import tls_context
from shop.lab.page_visitors import PageVisit, PageVisitor, visit_in_turn
from shop.lab.source_addresses import draw_address, require_addresses
from shop.lab.store_client import StoreClient
from shop.patterns.overload.client_address import address_client
from shop.patterns.overload.lanes import LANES, LANES_OF_A_CLIENT, deal_lanes, lane_choices

PRODUCTS = own_slugs("shuffle-sharding", 1)
PROCESSES = 2
REQUESTS = 24
"""The processes share them by chance: each must get as many as its two lanes have threads."""
OF_EACH_PAIR = 2
SPREAD_S = 0.5
PATIENCE_S = 1.0
HOLD_LIMIT_S = 1.2
"""The poisonous requests hold their threads for four seconds, one after another; the visits take less than two."""


def count_unserved(store: StoreClient, seed: int) -> float:
    """Return how many innocent clients get no page while the poisonous client holds its lanes.

    Args:
        store: the running store.
        seed: of the addresses.

    Raises:
        CannotJudge: the system has too few addresses, the store has another number of processes, or its lanes were
            not held.
    """
    try:
        require_addresses(store.base_url)
    except ConfigurationError as error:
        raise CannotJudge(str(error)) from error
    if store.workers() != PROCESSES:
        raise CannotJudge(f"The exercise needs {PROCESSES} web processes: start the store with --workers {PROCESSES}.")
    sell_products(store, PRODUCTS, on_hand=REQUESTS)
    path, rng = page_path(PRODUCTS[0]), random.Random(seed)
    store.visit(path)
    visitors = [
        PageVisitor(store.base_url, path, address, PATIENCE_S, tls_context()) for address in draw_of_each_pair(rng)
    ]
    with poisonous_client(store, draw_address(rng), REQUESTS, PRODUCTS) as poison:
        if not poison.hold_threads(LANES_OF_A_CLIENT, HOLD_LIMIT_S):
            raise CannotJudge("The slow checkouts did not hold their lanes in time: the machine is too busy.")
        visits = asyncio.run(_visit_once(visitors))
        if not poison.end():
            raise CannotJudge("No slow checkout succeeded: is another payments provider configured?")
    return float(sum(not visit.succeeded for visit in visits))


def draw_of_each_pair(rng: random.Random) -> list[str]:
    """Return addresses of clients, equally many with each pair of lanes."""
    found: Counter[frozenset[int]] = Counter()
    addresses: list[str] = []
    pairs = {frozenset(choice) for choice in lane_choices(LANES, LANES_OF_A_CLIENT)}
    while len(addresses) < OF_EACH_PAIR * len(pairs):
        address = draw_address(rng)
        pair = frozenset(deal_lanes(address_client(address), LANES, LANES_OF_A_CLIENT))
        if found[pair] < OF_EACH_PAIR:
            found[pair] += 1
            addresses.append(address)
    return addresses


async def _visit_once(visitors: list[PageVisitor]) -> list[PageVisit]:
    try:
        return [visits[0] for visits in await visit_in_turn(visitors, SPREAD_S, SPREAD_S)]
    finally:
        for visitor in visitors:
            visitor.close()


MEASUREMENT = StoreMeasurement(
    count_unserved,
    {
        "overload.lanes": "shuffle",
        "overload.shedding": "off",
        "overload.queue": "fifo",
        "cache.edge": "off",
        "payments.breaker": "off",
    },
    PRODUCTS,
    "56 clients, two with each pair of lanes, each requested a page while another client held its two lanes",
    "Which clients have no lane left? How many pairs are there, and how many of them have both lanes in common?",
    seconds=12,
)
