"""The order list of staff: all orders from the read model, one query per page (keyset pagination)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop.errors import InvalidFields
from shop.money import Money
from shop.orders.models import Order, OrderSummary
from shop.orders.transitions import OrderStatus


class RefundState(Protocol):
    """A due refund, as staff sees it; :class:`shop.payments.refunds.OwedRefund` fits."""

    @property
    def attempts(self) -> int:
        """Return the number of failed attempts."""

    @property
    def reason(self) -> str:
        """Return why the last attempt failed; empty before the first."""

    @property
    def has_failed(self) -> bool:
        """Return whether the store has stopped trying."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One row of the list."""

    id: int
    public_id: str
    number: str
    email: str
    status: OrderStatus
    refund_pending: bool
    pieces: int
    total: Money
    placed_at: datetime

    @classmethod
    def from_summary(cls, summary: OrderSummary, email: str) -> "OrderRow":
        """Return the row for a summary of the read model and the order's e-mail address."""
        return cls(
            id=summary.order_id,
            public_id=summary.public_id,
            number=summary.number,
            email=email,
            status=OrderStatus(summary.status),
            refund_pending=summary.owes_refund,
            pieces=summary.pieces,
            total=Money(summary.total_amount, summary.currency),
            placed_at=summary.placed_at,
        )


@dataclass(frozen=True, slots=True)
class OrderList:
    """A page of the list, the cursor of the next page, and the due refunds of its orders by order id."""

    orders: tuple[OrderRow, ...]
    next_cursor: str | None
    refunds: Mapping[int, RefundState] = field(default_factory=dict)


MOST_TODAY = 1000
"""The most orders that the first page of the administration counts: the latest ones, by the primary key."""


@dataclass(frozen=True, slots=True)
class TodaysOrders:
    """The orders placed since midnight (UTC)."""

    number: int
    total: Money

    @property
    def is_bounded(self) -> bool:
        """Return whether there may be more: only the latest :data:`MOST_TODAY` orders are counted."""
        return self.number >= MOST_TODAY


def count_today(session: Session) -> TodaysOrders:
    """Return number and value of the orders placed since midnight (UTC), cancelled ones included."""
    newest = select(OrderSummary.placed_at, OrderSummary.total_amount).order_by(OrderSummary.order_id.desc())
    latest = newest.limit(MOST_TODAY).subquery()
    total = func.coalesce(func.sum(latest.c.total_amount), 0)
    since = func.date_trunc("day", func.now(), "UTC")
    number, amount = session.execute(select(func.count(), total).where(latest.c.placed_at >= since)).one()
    return TodaysOrders(number, Money(int(amount)))


def list_orders(
    session: Session, status: OrderStatus | None, after: str | None, limit: int, *, only_owed: bool = False
) -> OrderList:
    """Return a page of all orders, newest first.

    Args:
        session: only reads.
        status: only orders in this status; all if ``None``.
        after: the public id of the last order of the previous page.
        limit: the most orders to return.
        only_owed: return only orders with a due refund.

    Raises:
        InvalidFields: ``after`` is an unknown order.
    """
    # only the order's row has the e-mail address: the read model follows from events, which have no personal data
    statement = select(OrderSummary, Order.email).join(Order, Order.id == OrderSummary.order_id)
    if status is not None:
        statement = statement.where(OrderSummary.status == status.value)
    if only_owed:
        statement = statement.where(OrderSummary.owes_refund)
    if after is not None:
        last_id = session.scalar(select(OrderSummary.order_id).where(OrderSummary.public_id == after))
        if last_id is None:
            raise InvalidFields("This page does not exist.", errors={"cursor": "unknown"})
        statement = statement.where(OrderSummary.order_id < last_id)
    rows = session.execute(statement.order_by(OrderSummary.order_id.desc()).limit(limit + 1)).all()
    orders = tuple(OrderRow.from_summary(summary, email) for summary, email in rows[:limit])
    return OrderList(orders, orders[-1].public_id if len(rows) > limit else None)


def count_by_status(session: Session) -> dict[OrderStatus, int]:
    """Return the number of orders in each status."""
    rows = session.execute(select(OrderSummary.status, func.count()).group_by(OrderSummary.status))
    return {OrderStatus(status): count for status, count in rows}


def count_owed_refunds(session: Session) -> int:
    """Return the number of orders with a due refund."""
    return session.scalar(select(func.count()).where(OrderSummary.owes_refund)) or 0
