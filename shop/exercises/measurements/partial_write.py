"""The measurement of the exercise ``partial-write``: the orders that refused checkouts leave behind."""

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.guest_client import GuestClient
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("partial-write", 1)
SHOPPERS = 6


def count_left_orders(store: StoreClient, seed: int) -> float:
    """Return how many orders are left by checkouts that were refused, because the product was sold out.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a checkout succeeded, or an order that was left could not be cancelled.
    """
    sell_products(store, PRODUCTS, on_hand=1)
    with guests_with_carts(store, SHOPPERS, PRODUCTS) as guests:
        store.update_product(PRODUCTS[0], on_hand=0)
        return float(sum(_count_left(guest) for guest in guests))


def _count_left(guest: GuestClient) -> int:
    """Check out, and cancel at once what is left: nothing of it stays in the books, also if this process is killed."""
    if guest.check_out():
        raise CannotJudge("A checkout of a sold-out product succeeded.")
    left = guest.orders()
    guest.cancel_orders()
    if any(order["status"] == "pending_payment" for order in guest.orders()):
        raise CannotJudge("An order that was left could not be cancelled: see `shop books`.")
    return len(left)


MEASUREMENT = StoreMeasurement(
    count_left_orders,
    {"checkout.transaction": "off", "checkout.stock": "conditional", "checkout.idempotency": "on"},
    PRODUCTS,
    f"{SHOPPERS} checkouts of a sold-out product, all of them refused, while each statement commits alone",
    "Which rows does a checkout write before it reserves the pieces, and what undoes them?",
)
