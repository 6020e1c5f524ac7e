"""Guests of the running store, each with a full cart; what they ordered goes back when they have been watched."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from shop.lab.guest_client import GuestClient
from shop.lab.store_client import StoreClient

PRODUCTS = 20
"""Popular ones, in turn, so that no shelf is emptied and no row is everybody's."""
SETUP_THREADS = 8
"""Carts filled, and orders sent back, at once: nobody measures that, and it would take longer than what is measured."""


def guest_count(rate: float, seconds: float) -> int:
    """Return how many come at so many a second for so many seconds; at least one."""
    return max(1, int(rate * seconds))


@contextmanager
def guests_with_carts(store: StoreClient, count: int, slugs: Sequence[str] = ()) -> Iterator[list[GuestClient]]:
    """Yield guests with one piece of something in each cart; cancel at the end what each ordered last.

    Args:
        store: where they shop.
        count: of guests.
        slugs: the products, taken in turn; popular ones where none are named.
    """
    wanted = slugs or store.products(PRODUCTS)
    guests = [GuestClient(store.base_url) for _ in range(count)]
    with ThreadPoolExecutor(SETUP_THREADS) as hands:
        try:
            list(hands.map(GuestClient.add_to_cart, guests, [wanted[number % len(wanted)] for number in range(count)]))
            yield guests
        finally:
            list(hands.map(GuestClient.cancel_order, guests))
            for guest in guests:
                guest.close()
