"""The measurement of the exercise ``deadlines``: how long a checkout waits for a provider that does not answer."""

import time

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.faults import NONE
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("deadlines", 1)
PAYMENTS = "payments"


def measure_wait(store: StoreClient, seed: int) -> float:
    """Return how many seconds a checkout takes.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the checkout succeeded.
    """
    sell_products(store, PRODUCTS, on_hand=1)
    with guests_with_carts(store, 1, PRODUCTS) as (guest,):
        store.set_fault(PAYMENTS, "slow")
        began = time.monotonic()
        number = guest.check_out()
        took_s = time.monotonic() - began
        store.set_fault(PAYMENTS, NONE)
        guest.cancel_orders()
    if number:
        raise CannotJudge("The checkout succeeded: is another payments provider configured?")
    return took_s


MEASUREMENT = StoreMeasurement(
    measure_wait,
    {"payments.timeout": "on", "payments.retries": "off", "payments.breaker": "off"},
    PRODUCTS,
    "one checkout while each call to the provider takes 12 seconds",
    "How many calls does a checkout make if the first gets no answer, and what ends each of them?",
    faults=(PAYMENTS,),
    seconds=10,
)
