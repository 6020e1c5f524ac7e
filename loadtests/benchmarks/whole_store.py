"""Waits until a store is whole after an outage: it is ready, sells, and has told every buyer."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from shop.errors import ServiceUnavailable
from shop.lab.guest_client import GuestClient
from shop.lab.store_client import StoreClient

LIMIT_S = 20.0
POLL_S = 0.1
MAILS = 100


def wait_until_whole(
    store: StoreClient, is_running: Callable[[], bool], orders: Sequence[str], returned_at: float
) -> float | None:
    """Wait until the store is ready, a new guest buys, and the confirmation of each order has come.

    Args:
        store: a client of the store.
        is_running: tells whether every process of the store runs.
        orders: numbers of the orders that were placed during the outage.
        returned_at: when the part was allowed to return, on the monotonic clock.

    Returns:
        The seconds since the return; ``None`` if it took more than :data:`LIMIT_S`.
    """
    deadline = returned_at + LIMIT_S
    with suppress(ServiceUnavailable):
        store.wait_ready(deadline - time.monotonic())
    missing = set(orders)
    bought = ""
    while time.monotonic() < deadline:
        with suppress(ServiceUnavailable):
            if not bought and (bought := _buy(store)):
                missing.add(bought)
            # The subject of a confirmation ends with the order's number.
            missing -= {mail["subject"].rpartition(" ")[2] for mail in store.mails(MAILS)}
            if bought and not missing and is_running():
                return time.monotonic() - returned_at
        time.sleep(POLL_S)
    return None


def _buy(store: StoreClient) -> str:
    """Return the number of a new guest's order, or an empty text if the store did not sell."""
    with GuestClient(store.base_url) as guest:
        guest.add_to_cart(store.product_to_edit())
        order = guest.check_out()
        guest.cancel_order()
        return order
