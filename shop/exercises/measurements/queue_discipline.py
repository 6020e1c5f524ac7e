"""The measurement of the exercise ``queue-discipline``: how many of a crowd a queue with short waits serves."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.guest_client import GuestClient
from shop.lab.store_client import StoreClient
from shop.switches.parameters import WEB_PROCESSES

PRODUCTS = own_slugs("queue-discipline", 4)
SHOPPERS = 20
SPREAD_S = 0.4
"""The last one must begin so soon after the first: its patience of 0.3 seconds has to end before a thread comes free,
and the slow card holds each thread for a second and a half."""


def count_orders(store: StoreClient, seed: int) -> float:
    """Return how many shoppers who check out at the same time get an order.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the machine is too busy.
    """
    sell_products(store, PRODUCTS, on_hand=SHOPPERS // len(PRODUCTS))
    with guests_with_carts(store, SHOPPERS, PRODUCTS) as guests, ThreadPoolExecutor(SHOPPERS) as threads:
        start = threading.Barrier(SHOPPERS)

        def check_out(guest: GuestClient) -> tuple[float, bool]:
            start.wait()
            began = time.monotonic()
            return began, bool(guest.check_out("tok_slow"))

        visits = list(threads.map(check_out, guests))
    begins = sorted(began for began, _ in visits)
    if begins[-1] - begins[0] > SPREAD_S:
        raise CannotJudge(f"The checkouts began within {begins[-1] - begins[0]:.2f} s: the machine is too busy.")
    return float(sum(has_order for _, has_order in visits))


MEASUREMENT = StoreMeasurement(
    count_orders,
    {
        "overload.shedding": "off",
        "overload.queue": "codel",
        "payments.timeout": "on",
        "payments.breaker": "off",
    },
    PRODUCTS,
    f"{SHOPPERS} checkouts at the same time, with a card that takes the provider 1.5 seconds",
    "When does the first thread come free, and how long may a request have waited by then?",
    parameters={WEB_PROCESSES: 1.0},  # two would share the checkouts by chance, and one might have a thread to spare
    seconds=8,
)
