"""Parcels that leave and arrive by themselves, in place of the people who would pack and carry them.

Off unless a setting asks for it: whether a paid order has left is for somebody at a packing table to say, and the
administration's buttons say it. On, it stands in for them. A loop over what is due rather than a delayed message for
each order: what is due can be asked of the orders themselves, so nothing has to be remembered, found again or undone
when an order is cancelled meanwhile.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.errors import StateConflict
from shop.orders.models import OrderEvent, OrderSummary
from shop.orders.service import OrderService
from shop.orders.transitions import EventType, OrderStatus

MOST_AT_ONCE = 100

_log = logging.getLogger(__name__)


class OrderFulfilment:
    """A loop's body; safe to run twice at once: each step is taken under the order's lock, and taken once.

    Args:
        database: where orders are.
        orders: sends them off.
        ship_after: from paid to shipped; zero: not by itself.
        deliver_after: from shipped to delivered; zero: not by itself.
    """

    def __init__(
        self, database: Database, orders: OrderService, ship_after: timedelta, deliver_after: timedelta
    ) -> None:
        self._database = database
        self._steps = (
            (OrderStatus.PAID, EventType.PAYMENT_CHARGED, ship_after, orders.ship),
            (OrderStatus.SHIPPED, EventType.ORDER_SHIPPED, deliver_after, orders.deliver),
        )

    def run_once(self) -> int:
        """Take every step that is due; return how many were taken."""
        taken = 0
        for status, since, wait, step in self._steps:
            if not wait:
                continue
            with self._database.reading() as session:
                found = _due(session, status, since, wait)
            taken += sum(_take(step, public_id) for public_id in found)
        return taken


def _due(session: Session, status: OrderStatus, since: EventType, wait: timedelta) -> list[str]:
    """Ask the read model, which has an index for it; what it says of a moment ago is checked under the order's lock."""
    long_ago = (
        select(OrderEvent.version)
        .where(OrderEvent.order_id == OrderSummary.order_id, OrderEvent.type == since.value)
        .where(OrderEvent.recorded_at < func.clock_timestamp() - wait)
    )
    found = select(OrderSummary.public_id).where(OrderSummary.status == status.value, long_ago.exists())
    return list(session.scalars(found.order_by(OrderSummary.order_id).limit(MOST_AT_ONCE)))


def _take(step: Callable[[str], None], public_id: str) -> bool:
    try:
        step(public_id)
    except StateConflict as refusal:
        _log.info("not_fulfilled", extra={"order": public_id, "reason": refusal.detail})
        return False
    return True
