"""The measurement of the exercise ``order-events``: the events in the stream of one order."""

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, sell_products
from shop.exercises.verdict import CannotJudge
from shop.lab.admin_client import AdminClient
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.store_client import StoreClient

PRODUCTS = own_slugs("order-events", 1)
CONFLICT = 409


def count_events(store: StoreClient, seed: int) -> float:
    """Return how many events the stream of an order has at the end.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the order was not placed, or staff could ship it although it is cancelled.
    """
    sell_products(store, PRODUCTS, on_hand=1)
    with guests_with_carts(store, 1, PRODUCTS) as (guest,), AdminClient(store.base_url) as admin:
        if not guest.check_out():
            raise CannotJudge("The checkout failed: is the payments provider down? `bin/shop status` shows it.")
        guest.cancel_order()
        guest.cancel_order()
        order = guest.orders()[0]
        status = admin.ship_order(order["id"])
        if status != CONFLICT:
            raise CannotJudge(f"A cancelled order was shipped: the store answered {status}.")
        return float(len(guest.orders()[0]["events"]))


MEASUREMENT = StoreMeasurement(
    count_events,
    {},
    PRODUCTS,
    "one order: bought, cancelled, cancelled again, and then shipped by staff, which is refused",
    "An event is a fact. Which of the four commands changed something, and how many facts did each of them make?",
    seconds=4,
)
