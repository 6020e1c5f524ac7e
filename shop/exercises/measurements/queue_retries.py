"""The measurement of the exercise ``queue-retries``: the confirmations that arrive after an outage."""

import time

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.faults import NONE
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("queue-retries", 1)
ORDERS_EACH_WAY = 5
MAIL, SWITCH = "mail", "orders.confirmation"
MAX_WAIT_S = 30.0
"""A pause after so short an outage is much shorter."""
POLL_S = 0.2


def count_confirmations(store: StoreClient, seed: int) -> float:
    """Return how many confirmations arrive of orders that were placed while the mail server was down.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a checkout failed.
    """
    sell_products(store, PRODUCTS, on_hand=2 * ORDERS_EACH_WAY)
    with guests_with_carts(store, 2 * ORDERS_EACH_WAY, PRODUCTS) as guests:
        store.set_fault(MAIL, "down")
        numbers: list[str] = []
        for position, guest in enumerate(guests):
            if position == ORDERS_EACH_WAY:
                store.set_switch(SWITCH, "inline")
                store.wait_applied()
            numbers.append(guest.check_out())
        store.set_fault(MAIL, NONE)
        if not all(numbers):
            raise CannotJudge("A checkout failed: is the payments provider down? `bin/shop status` shows it.")
        store.set_switch(SWITCH, "queue")
        return float(_count_arrived(store, set(numbers)))


def _count_arrived(store: StoreClient, numbers: set[str]) -> int:
    """Wait for the mails of the queue, and return how many of the orders have one."""
    deadline = time.monotonic() + MAX_WAIT_S
    while True:
        # The subject of a confirmation ends with the order's number.
        arrived = {mail["subject"].rpartition(" ")[2] for mail in store.mails(100)} & numbers
        if len(arrived) >= ORDERS_EACH_WAY or time.monotonic() > deadline:
            time.sleep(1.0)  # for a mail more than expected
            return len({mail["subject"].rpartition(" ")[2] for mail in store.mails(100)} & numbers)
        time.sleep(POLL_S)


MEASUREMENT = StoreMeasurement(
    count_confirmations,
    {SWITCH: "queue"},
    PRODUCTS,
    f"{2 * ORDERS_EACH_WAY} checkouts while the mail server is down, half of them by the queue, half of them inline",
    "Where is the request to send a mail while the mail server is down, and who tries again?",
    faults=(MAIL,),
    seconds=10,
)
