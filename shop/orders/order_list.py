"""All orders, as the staff sees them: read from the read model, in one query a page."""

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
    """What staff needs to know of a refund that is still owed; the payments' own record of it fits."""

    @property
    def attempts(self) -> int:
        """Return how often it was tried."""

    @property
    def reason(self) -> str:
        """Return why the last attempt failed; empty before the first."""

    @property
    def has_failed(self) -> bool:
        """Return whether it is tried no more by itself."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order of the list."""

    id: int
    public_id: str
    number: str
    email: str
    status: OrderStatus
    refund_pending: bool
    pieces: int
    total: Money
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class OrderList:
    """A page of the list, where the next one starts, and what is owed of its orders, by their keys."""

    orders: tuple[OrderRow, ...]
    next_cursor: str | None
    refunds: Mapping[int, RefundState] = field(default_factory=dict)


def page(
    session: Session, status: OrderStatus | None, after: str | None, limit: int, *, only_owed: bool = False
) -> OrderList:
    """Return everybody's orders, newest first.

    Args:
        session: reads only.
        status: of these only; all if ``None``.
        after: the public id of the last order seen.
        limit: how many at most.
        only_owed: leave out all whose money is not to go back.

    Raises:
        InvalidFields: ``after`` is no order that is known here.
    """
    # who it is for stands in the order's own row alone: an event cannot be unwritten
    chosen = select(OrderSummary, Order.email).join(Order, Order.id == OrderSummary.order_id)
    if status is not None:
        chosen = chosen.where(OrderSummary.status == status.value)
    if only_owed:
        chosen = chosen.where(OrderSummary.owes_refund)
    if after is not None:
        last = session.scalar(select(OrderSummary.order_id).where(OrderSummary.public_id == after))
        if last is None:
            raise InvalidFields("This page does not exist.", errors={"cursor": "unknown"})
        chosen = chosen.where(OrderSummary.order_id < last)
    rows = session.execute(chosen.order_by(OrderSummary.order_id.desc()).limit(limit + 1)).all()
    shown = tuple(_row(found, email) for found, email in rows[:limit])
    return OrderList(shown, shown[-1].public_id if len(rows) > limit else None)


def by_status(session: Session) -> dict[OrderStatus, int]:
    """Return how many orders stand where."""
    rows = session.execute(select(OrderSummary.status, func.count()).group_by(OrderSummary.status))
    return {OrderStatus(status): count for status, count in rows}


def owed_count(session: Session) -> int:
    """Return how many orders' money is to go back."""
    return session.scalar(select(func.count()).where(OrderSummary.owes_refund)) or 0


def _row(found: OrderSummary, email: str) -> OrderRow:
    return OrderRow(
        id=found.order_id,
        public_id=found.public_id,
        number=found.number,
        email=email,
        status=OrderStatus(found.status),
        refund_pending=found.owes_refund,
        pieces=found.pieces,
        total=Money(found.total_amount, found.currency),
        placed_at=found.placed_at,
    )
