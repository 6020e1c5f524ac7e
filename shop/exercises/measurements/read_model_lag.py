"""The measurement of the exercise ``read-model-lag``: how often a list lacks the order that was just placed."""

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.admin_client import AdminClient
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("read-model-lag", 1)
ORDERS = 10


def count_missing(store: StoreClient, seed: int) -> float:
    """Return how often an order is missing right after its checkout, in the buyer's list and in the list of staff.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a checkout failed.
    """
    sell_products(store, PRODUCTS, on_hand=ORDERS)
    missing = 0
    with guests_with_carts(store, ORDERS, PRODUCTS) as guests, AdminClient(store.base_url) as admin:
        for guest in guests:
            number = guest.check_out()
            if not number:
                raise CannotJudge("A checkout failed: is the payments provider down? `bin/shop status` shows it.")
            missing += number not in admin.paid_order_numbers()
            missing += not guest.lists_paid_order()
    return float(missing)


MEASUREMENT = StoreMeasurement(
    count_missing,
    {"orders.projection": "async"},
    PRODUCTS,
    f"{ORDERS} checkouts, and right after each of them two questions: the list of staff, and the buyer's own list",
    "Which of the two lists reads the rows that the worker writes later?",
    seconds=6,
)
