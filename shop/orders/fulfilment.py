"""Simulated fulfilment: ships and delivers orders automatically, in place of people who pack and carry parcels.

It is off by default: staff marks an order as shipped on the order page. A background loop selects the due orders; there
is no delayed message per order. A query finds due orders, so nothing must be stored, searched or deleted if an order is
cancelled in the meantime.
"""

import logging
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.errors import StateConflict
from shop.orders.models import OrderEventRow, OrderSummary
from shop.orders.service import OrderService
from shop.orders.transitions import EventType, OrderStatus

BATCH_SIZE = 100

_log = logging.getLogger(__name__)


class OrderFulfilment:
    """The body of a background loop. Two may run at once: each step happens once, under the order's lock.

    Args:
        database: the database of the orders.
        orders: ships and delivers.
        ship_after: the time from paid to shipped; zero: not automatically.
        deliver_after: the time from shipped to delivered; zero: not automatically.
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
        """Make every step that is due; return their number."""
        done = 0
        for status, event_type, wait, step in self._steps:
            if not wait:
                continue
            with self._database.reading() as session:
                due = _due_orders(session, status, event_type, wait)
            for public_id in due:
                try:
                    step(public_id)
                except StateConflict as refusal:
                    _log.info("order_not_fulfilled", extra={"order": public_id, "reason": refusal.detail})
                else:
                    done += 1
        return done


def _due_orders(session: Session, status: OrderStatus, event_type: EventType, wait: timedelta) -> list[str]:
    """Query the read model, which has an index on the status. It may be outdated; the step checks the order itself."""
    old_event = (
        select(OrderEventRow.version)
        .where(OrderEventRow.order_id == OrderSummary.order_id, OrderEventRow.type == event_type.value)
        .where(OrderEventRow.recorded_at < func.clock_timestamp() - wait)
    )
    due = select(OrderSummary.public_id).where(OrderSummary.status == status.value, old_event.exists())
    return list(session.scalars(due.order_by(OrderSummary.order_id).limit(BATCH_SIZE)))
