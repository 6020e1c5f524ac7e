"""The measurement of the exercise ``littles-law``: the checkouts a second of shoppers who wait."""

import time
from concurrent.futures import ThreadPoolExecutor

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.guest_client import GuestClient
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("littles-law", 1)
AT_ONCE = 6
CHECKOUTS_EACH = 4
PROVIDER_S = 1.5
"""The slow card, in the provider's simulator."""
BUSY_S = 0.2
"""All else in a checkout takes about 30 ms. If it takes so long, the machine computes instead of waiting."""


def measure_throughput(store: StoreClient, seed: int) -> float:
    """Return the checkouts a second, while so many are in progress at any time.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a checkout failed, or the machine is too busy.
    """
    total = AT_ONCE * CHECKOUTS_EACH
    sell_products(store, PRODUCTS, on_hand=total)
    with guests_with_carts(store, total, PRODUCTS) as guests:

        def check_out_in_turn(first: int) -> bool:
            return all(_check_out(guest) for guest in guests[first::AT_ONCE])

        with ThreadPoolExecutor(AT_ONCE) as threads:
            began = time.monotonic()
            succeeded = list(threads.map(check_out_in_turn, range(AT_ONCE)))
            took_s = time.monotonic() - began
    if not all(succeeded):
        raise CannotJudge("A checkout failed: is the payments provider down? `bin/shop status` shows it.")
    if took_s / CHECKOUTS_EACH > PROVIDER_S + BUSY_S:
        raise CannotJudge(f"A checkout took {took_s / CHECKOUTS_EACH:.2f} s: the machine is too busy.")
    return total / took_s


def _check_out(guest: GuestClient) -> bool:
    return bool(guest.check_out("tok_slow"))


MEASUREMENT = StoreMeasurement(
    measure_throughput,
    {"payments.breaker": "off", "payments.timeout": "on"},
    PRODUCTS,
    f"{AT_ONCE * CHECKOUTS_EACH} checkouts, {AT_ONCE} at any time, with a card that takes the provider 1.5 seconds",
    "Little's law: requests in progress = rate x time of one. Two of the three are given.",
    seconds=10,
)
