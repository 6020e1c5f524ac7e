"""The rows of the demo store's orders: the order, its lines, its events, its payment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from types import MappingProxyType

from shop.datasets.demo.calendar import OrderCalendar
from shop.datasets.demo.customers import DemoCustomers
from shop.datasets.demo.demand import DemoDemand
from shop.datasets.demo.products import DemoProducts
from shop.datasets.demo.seeded_random import generator
from shop.datasets.plan import Connection, ReportRows, copy_orders
from shop.datasets.rows import Event, OrderRows
from shop.orders.events import (
    CancellationCause,
    OrderCancelled,
    OrderDelivered,
    OrderEvent,
    OrderShipped,
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
)
from shop.orders.ids import new_number, new_public_id

HoursRange = tuple[float, float]
EVENTS: Mapping[str, Sequence[tuple[str, HoursRange]]] = MappingProxyType(
    {
        "paid": (("PaymentCharged", (0, 0.002)),),
        "shipped": (("PaymentCharged", (0, 0.002)), ("OrderShipped", (3, 40))),
        "delivered": (("PaymentCharged", (0, 0.002)), ("OrderShipped", (3, 40)), ("OrderDelivered", (20, 90))),
        "cancelled": (("PaymentDeclined", (0, 0.002)), ("OrderCancelled", (0.01, 2))),
        "refunded": (("PaymentCharged", (0, 0.002)), ("OrderCancelled", (0.1, 3)), ("PaymentRefunded", (0, 0.01))),
    }
)
"""Status of an order to its events after the placement, each with the range of the hours until it happens."""
CONSTANT_EVENTS: Mapping[str, OrderEvent] = MappingProxyType(
    {
        "PaymentDeclined": PaymentDeclined("card_declined"),
        "OrderShipped": OrderShipped(),
        "OrderDelivered": OrderDelivered(),
        "PaymentRefunded": PaymentRefunded(),
    }
)
"""The events that are the same in every order."""
PAYMENT_STATUSES = MappingProxyType(
    {"paid": "charged", "shipped": "charged", "delivered": "charged", "cancelled": "declined", "refunded": "refunded"}
)


@dataclass(frozen=True)
class DemoOrders:
    """Generates the rows of the orders, batch by batch."""

    products: DemoProducts
    customers: DemoCustomers
    demand: DemoDemand
    calendar: OrderCalendar

    def load_batch(self, batch: int, connection: Connection, report_rows: ReportRows) -> int:
        """Load the rows of a batch; return their number."""
        return copy_orders(connection, self.batch(batch), report_rows)

    def batch(self, batch: int) -> OrderRows:
        """Return the rows of a batch."""
        random = generator("orders", batch)
        rows = OrderRows()
        products = cache(self.products.__getitem__)
        for basket in self.demand.baskets(batch):
            placed_at = self.calendar.at((basket.order_id - 1 + random.random()) / self.demand.orders)
            customer = self.customers[self.customers.buyer(random.random())]
            items = ((products(product_id), quantity) for product_id, quantity in basket.items)
            provider_id = f"ch_demo_{basket.order_id}"
            is_charged = "PaymentCharged" in dict(EVENTS[basket.status])
            rows.add(
                order_id=basket.order_id,
                public_id=new_public_id(random),
                number=new_number(random),
                user_id=customer.id,
                email=customer.email,
                status=basket.status,
                address=self.customers.address(customer.id),
                placed_at=placed_at,
                lines=[(product.id, product.title, quantity, product.price) for product, quantity in items],
                events=self._events(basket.status, placed_at, provider_id, random),
                payment=(PAYMENT_STATUSES[basket.status], provider_id if is_charged else None),
            )
        return rows

    def _events(self, status: str, placed_at: datetime, provider_id: str, random: Random) -> list[Event]:
        cause = CancellationCause.DECLINED if status == "cancelled" else CancellationCause.CUSTOMER
        by_type = {
            **CONSTANT_EVENTS,
            "PaymentCharged": PaymentCharged(provider_id),
            "OrderCancelled": OrderCancelled(cause),
        }
        events: list[Event] = []
        now = placed_at
        for event_type, (min_hours, max_hours) in EVENTS[status]:
            # No event is later than the generated year.
            now = min(now + timedelta(seconds=2 + 3_600 * random.uniform(min_hours, max_hours)), self.calendar.last)
            events.append((by_type[event_type], now))
        return events
