"""Orders as rows: the order, its lines, its events, its payment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from types import MappingProxyType

from shop.datasets.demo.calendar import OrderCalendar
from shop.datasets.demo.chance import generator
from shop.datasets.demo.customers import DemoCustomers
from shop.datasets.demo.demand import DemoBasket, DemoDemand
from shop.datasets.demo.products import DemoProduct, DemoProducts
from shop.datasets.demo.sizes import EPOCH
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

Hours = tuple[float, float]
Story = Sequence[tuple[str, Hours]]
STORIES: Mapping[str, Story] = MappingProxyType(
    {
        "paid": (("PaymentCharged", (0, 0.002)),),
        "shipped": (("PaymentCharged", (0, 0.002)), ("OrderShipped", (3, 40))),
        "delivered": (("PaymentCharged", (0, 0.002)), ("OrderShipped", (3, 40)), ("OrderDelivered", (20, 90))),
        "cancelled": (("PaymentDeclined", (0, 0.002)), ("OrderCancelled", (0.01, 2))),
        "refunded": (("PaymentCharged", (0, 0.002)), ("OrderCancelled", (0.1, 3)), ("PaymentRefunded", (0, 0.01))),
    }
)
"""What happens after an order is placed, and between how many hours it takes each time."""
PAYMENTS = MappingProxyType(
    {"paid": "charged", "shipped": "charged", "delivered": "charged", "cancelled": "declined", "refunded": "refunded"}
)


@dataclass(frozen=True)
class DemoOrders:
    """Makes the rows of the orders, batch by batch."""

    products: DemoProducts
    customers: DemoCustomers
    demand: DemoDemand
    calendar: OrderCalendar

    def batch(self, batch: int) -> OrderRows:
        """Make one batch of orders."""
        random = generator("orders", batch)
        rows = OrderRows()
        known: dict[int, DemoProduct] = {}
        for basket in self.demand.baskets(batch):
            self._add(rows, basket, random, known)
        return rows

    def _add(self, rows: OrderRows, basket: DemoBasket, random: Random, known: dict[int, DemoProduct]) -> None:
        placed_at = self.calendar.at((basket.order_id - 1 + random.random()) / self.demand.orders)
        customer = self.customers[self.customers.somebody(random.random())]
        lines = []
        for product_id, quantity in basket.items:
            product = known.get(product_id) or known.setdefault(product_id, self.products[product_id])
            lines.append((product_id, product.title, quantity, product.price))
        provider_id = f"ch_demo_{basket.order_id}"
        charged = "PaymentCharged" in dict(STORIES[basket.status])
        rows.add(
            order_id=basket.order_id,
            public_id=new_public_id(random),
            number=new_number(random),
            user_id=customer.id,
            email=customer.email,
            status=basket.status,
            address=self.customers.address(customer.id),
            placed_at=placed_at,
            lines=lines,
            events=_story(basket.status, placed_at, provider_id, random),
            payment=(PAYMENTS[basket.status], provider_id if charged else None),
        )


def _story(status: str, placed_at: datetime, provider_id: str, random: Random) -> list[Event]:
    told: list[Event] = []
    now = placed_at
    for event, (least, most) in STORIES[status]:
        # nothing has happened that lies behind the end of the generated year
        now = min(now + timedelta(seconds=2 + 3_600 * random.uniform(least, most)), EPOCH)
        told.append((_event(event, status, provider_id), now))
    return told


def _event(kind: str, status: str, provider_id: str) -> OrderEvent:
    match kind:
        case "PaymentCharged":
            return PaymentCharged(provider_id)
        case "PaymentDeclined":
            return PaymentDeclined("card_declined")
        case "OrderShipped":
            return OrderShipped()
        case "OrderDelivered":
            return OrderDelivered()
        case "OrderCancelled":
            return OrderCancelled(CancellationCause.DECLINED if status == "cancelled" else CancellationCause.CUSTOMER)
    return PaymentRefunded()
