"""The first page of the administration: what was sold today, what must be done, and what waits in the queue."""

from collections.abc import Sequence
from dataclasses import dataclass

from shop.catalog.inventory import LOW, StockedProduct
from shop.catalog.service import CatalogService
from shop.database.transactions import Database
from shop.orders.order_list import TodaysOrders
from shop.orders.service import OrderService
from shop.orders.transitions import OrderStatus
from shop.patterns.outbox.relay import OutboxBacklog, backlog
from shop.patterns.queue.dispatcher import count_dead_letters

LOW_PRODUCTS = 6


@dataclass(frozen=True, slots=True)
class AdminOverview:
    """The figures of the page; each is bounded or indexed, so a large store shows them as quickly."""

    today: TodaysOrders
    to_ship: int
    """Paid orders that are not shipped yet."""
    low: Sequence[StockedProduct]
    """The products with the fewest pieces left to sell."""
    outbox: OutboxBacklog
    dead_letters: int


def read_overview(database: Database, orders: OrderService, catalog: CatalogService) -> AdminOverview:
    """Return the figures of the administration's first page.

    Args:
        database: of the store.
        orders: the order service of the current request.
        catalog: its catalogue service.
    """
    with database.reading() as session:
        waiting, dead = backlog(session), count_dead_letters(session)
    return AdminOverview(
        orders.count_today(),
        orders.count_by_status().get(OrderStatus.PAID, 0),
        catalog.inventory("", None, LOW).rows[:LOW_PRODUCTS],
        waiting,
        dead,
    )
