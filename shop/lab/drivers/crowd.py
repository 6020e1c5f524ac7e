"""Guests of the running store with full carts; their orders are cancelled at the end."""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from shop.lab.guest_client import GuestClient
from shop.lab.source_addresses import require_clients
from shop.lab.store_client import StoreClient

PRODUCTS = 20
"""Number of popular products. Shoppers buy them in turn, so no product sells out, and no stock row is a hot spot."""
GUESTS_A_S = 30.0
SETUP_THREADS = 8
"""Carts are filled and orders cancelled in parallel, since this is not measured and would take long."""


def guests_s(count: int) -> float:
    """Return about how many seconds it takes to fill the carts of so many guests, and to cancel their orders."""
    return count / GUESTS_A_S


def guest_count(rate: float, seconds: float) -> int:
    """Return how many guests come at a rate in so many seconds; at least one."""
    return max(1, int(rate * seconds))


@contextmanager
def guests_with_carts(store: StoreClient, count: int, slugs: Sequence[str] = ()) -> Iterator[list[GuestClient]]:
    """Yield guests with one piece of a product in each cart; cancel the last order of each guest at the end.

    Args:
        store: a client of the store.
        count: number of guests.
        slugs: the products, taken in turn; by default popular ones.

    Raises:
        ConfigurationError: on this system the store would refuse so many guests, as one client.
    """
    require_clients(count, store.switches)
    products = slugs or store.products(PRODUCTS)
    guests = [GuestClient(store.base_url) for _ in range(count)]
    with ThreadPoolExecutor(SETUP_THREADS) as threads:
        try:
            list(threads.map(GuestClient.add_to_cart, guests, itertools.cycle(products)))
            yield guests
        finally:
            list(threads.map(GuestClient.cancel_order, guests))
            for guest in guests:
                guest.close()
