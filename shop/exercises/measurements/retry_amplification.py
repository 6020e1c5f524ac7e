"""The measurement of the exercise ``retry-amplification``: how many calls an outage makes of a few checkouts."""

from contextlib import closing

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.faults import NONE
from shop.lab.drivers.bystanders import count_provider_calls
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.metrics_client import MetricsClient
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("retry-amplification", 1)
PAYMENTS = "payments"
CHECKOUTS = 5


def count_calls(store: StoreClient, seed: int) -> float:
    """Return how many calls the provider gets for a few checkouts.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a checkout succeeded.
    """
    sell_products(store, PRODUCTS, on_hand=CHECKOUTS)
    with guests_with_carts(store, CHECKOUTS, PRODUCTS) as guests, closing(MetricsClient(store)) as metrics:
        before = count_provider_calls(metrics)
        store.set_fault(PAYMENTS, "failing:100")
        numbers = [guest.check_out() for guest in guests]
        calls = count_provider_calls(metrics) - before
        store.set_fault(PAYMENTS, NONE)
        for guest in guests:
            guest.cancel_orders()
    if any(numbers):
        raise CannotJudge("A checkout succeeded: is another payments provider configured?")
    return calls


MEASUREMENT = StoreMeasurement(
    count_calls,
    {"payments.timeout": "on", "payments.retries": "on", "retry.budget": "off", "payments.breaker": "off"},
    PRODUCTS,
    f"{CHECKOUTS} checkouts while every call to the provider fails, without a budget for retries",
    "How many calls does one checkout make, and how many attempts does each of them have?",
    faults=(PAYMENTS,),
    seconds=6,
)
