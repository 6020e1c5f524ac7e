"""The measurement of the exercise ``killed-checkout``: the pieces sold although a web process is killed."""

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

from shop.errors import ServiceUnavailable
from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.guest_client import REFUSED, GuestClient
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("killed-checkout", 1)
SHOPPERS = 8
PIECES = 40
KILL_AFTER_S = 0.7
"""All checkouts wait then for the slow card, which takes 1.5 s."""
MAX_WAIT_S, ATTEMPT_S = 40.0, 10.0
WEB = "web"


def count_sold(store: StoreClient, seed: int) -> float:
    """Return how many pieces are sold.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a shopper got no final response.
    """
    sell_products(store, PRODUCTS, on_hand=PIECES)
    with guests_with_carts(store, SHOPPERS, PRODUCTS) as guests:
        try:
            return float(_buy_and_kill(store, guests))
        finally:
            for guest in guests:
                guest.cancel_orders()


def _buy_and_kill(store: StoreClient, guests: list[GuestClient]) -> int:
    before = store.available(PRODUCTS[0])

    def buy(guest: GuestClient) -> str:
        return guest.check_out_with_retries(secrets.token_hex(16), MAX_WAIT_S, ATTEMPT_S, "tok_slow")

    def kill() -> None:
        time.sleep(KILL_AFTER_S)
        with closing(StoreClient(store.base_url)) as own, suppress(ServiceUnavailable):
            own.set_fault(WEB, "kill")  # the killed process may be the one that handles this request

    killer = threading.Thread(target=kill, name="killer", daemon=True)
    with ThreadPoolExecutor(len(guests)) as threads:
        killer.start()
        answers = list(threads.map(buy, guests))
    killer.join()
    store.wait_ready()
    if missing := [answer for answer in answers if answer in ("", REFUSED)]:
        raise CannotJudge(f"{len(missing)} of {SHOPPERS} shoppers got no order: is the machine too busy?")
    return before - store.available(PRODUCTS[0])


MEASUREMENT = StoreMeasurement(
    count_sold,
    {"checkout.idempotency": "on", "checkout.transaction": "on", "payments.breaker": "off"},
    PRODUCTS,
    f"{SHOPPERS} checkouts at once with a slow card; a web process was killed, and each client sent its request again",
    "Under which key did the clients repeat, and where is the state of a checkout while its process is dead?",
    faults=(WEB,),
    seconds=12,
)
