"""The measurement of the exercise ``partial-write``: the pieces that refused checkouts leave available."""

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("partial-write", 2)
IN_STOCK, SOLD_OUT = PRODUCTS
PIECES = 10
SHOPPERS = 6


def count_available(store: StoreClient, seed: int) -> float:
    """Return how many pieces of one product are available, after refused checkouts of it and a sold-out product.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a checkout succeeded.
    """
    sell_products(store, PRODUCTS, on_hand=PIECES)
    with guests_with_carts(store, SHOPPERS, [IN_STOCK]) as guests:
        for guest in guests:
            guest.add_to_cart(SOLD_OUT)
        store.update_product(SOLD_OUT, on_hand=0)
        if any(guest.check_out() for guest in guests):
            raise CannotJudge("A checkout of a sold-out product succeeded.")
        return float(store.available(IN_STOCK))


MEASUREMENT = StoreMeasurement(
    count_available,
    {"checkout.transaction": "on", "checkout.stock": "conditional"},
    PRODUCTS,
    f"{SHOPPERS} checkouts of two products, one with {PIECES} pieces and one sold out; all of them are refused",
    "Which statements ran before the one that failed, and what became of them?",
    seconds=4,
)
