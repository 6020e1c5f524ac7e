"""Queries of orders: three queries per page, for any number of orders."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from shop.errors import InvalidFields, NotFound
from shop.money import Money
from shop.orders.events import OrderedLine
from shop.orders.models import Order, OrderEventRow, OrderLine
from shop.orders.order_stream import OrderChange
from shop.orders.transitions import EventType, OrderStatus, owes_refund
from shop.patterns.event_sourcing import StoredEvent

MAX_BASKETS = 400
"""The latest baskets with a product give the same result as all of them, which cost a hundred times as much for a
popular product."""


@dataclass(frozen=True, slots=True)
class OrderHolder:
    """The holder of an order: an account or a guest.

    Args:
        public_id: the order.
        user_id: the account that placed or adopted the order, if any.
        guest_id: the guest who placed the order, if any.
    """

    public_id: str
    user_id: int | None
    guest_id: uuid.UUID | None

    @property
    def is_guest(self) -> bool:
        """Tell whether a guest holds the order: no account does, and the guest's data is not deleted."""
        return self.user_id is None and self.guest_id is not None


@dataclass(frozen=True, slots=True)
class GuestContact:
    """A guest's order, and its e-mail address."""

    public_id: str
    email: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its lines and events."""

    id: int
    public_id: str
    number: str
    email: str
    status: OrderStatus
    total: Money
    address: dict[str, Any]
    created_at: datetime
    lines: tuple[OrderedLine, ...]
    events: tuple[StoredEvent, ...]

    @property
    def refund_pending(self) -> bool:
        """Tell whether a refund is due."""
        return owes_refund(self.status, [EventType(event.type) for event in self.events])


def list_for_user(session: Session, user_id: int, after: str | None, limit: int) -> list[OrderView]:
    """Return an account's orders, newest first.

    Args:
        session: reads only.
        user_id: the account.
        after: the public id of the last order of the previous page.
        limit: the most orders to return.

    Raises:
        InvalidFields: ``after`` is not an order of this account.
    """
    orders = select(Order).where(Order.user_id == user_id)
    return _views(session, _page(session, orders, after, limit))


def list_for_guest(
    session: Session, guest_ids: Collection[uuid.UUID], after: str | None, limit: int
) -> list[OrderView]:
    """Return a guest's orders that no account has adopted, newest first; as :func:`list_for_user`."""
    orders = select(Order).where(Order.guest_id.in_(guest_ids), Order.user_id.is_(None))
    return _views(session, _page(session, orders, after, limit))


def find_order(session: Session, public_id: str) -> tuple[OrderView, OrderHolder] | None:
    """Return an order and its holder; ``None`` if it does not exist."""
    order = session.scalar(select(Order).where(Order.public_id == public_id))
    return (_views(session, [order])[0], OrderHolder(public_id, order.user_id, order.guest_id)) if order else None


def find_guest_contact(session: Session, number: str, pause: timedelta) -> GuestContact | None:
    """Return the guest's order with a number; ``None`` if an account holds it, or its link was sent recently.

    Args:
        session: reads only.
        number: the order's number.
        pause: the shortest time between two mails with the link.
    """
    due = or_(Order.link_sent_at.is_(None), Order.link_sent_at < func.clock_timestamp() - pause)
    row = session.execute(
        select(Order.public_id, Order.email).where(
            Order.number == number, Order.user_id.is_(None), Order.guest_id.is_not(None), due
        )
    ).one_or_none()
    return GuestContact(row.public_id, row.email) if row else None


def record_link_sent(session: Session, public_id: str) -> None:
    """Record that the link to an order was sent now."""
    session.execute(update(Order).where(Order.public_id == public_id).values(link_sent_at=func.clock_timestamp()))


def view_after_change(change: OrderChange) -> OrderView:
    """Return an order after a change of the open transaction, without a query."""
    head, state = change.head, change.state
    return OrderView(
        id=head.id,
        public_id=head.public_id,
        number=head.number,
        email=head.email,
        status=state.status,
        total=state.total,
        address=dict(head.address),
        created_at=head.created_at,
        lines=state.lines,
        events=tuple(change.stream),
    )


def internal_id(session: Session, public_id: str) -> int:
    """Return the internal id of an order.

    Raises:
        NotFound: the order does not exist.
    """
    order_id = session.scalar(select(Order.id).where(Order.public_id == public_id))
    if order_id is None:
        raise NotFound("There is no such order.")
    return order_id


def public_id(session: Session, order_id: int) -> str | None:
    """Return the public id of an order; ``None`` if the order does not exist."""
    return session.scalar(select(Order.public_id).where(Order.id == order_id))


def order_ages(session: Session, order_ids: Sequence[int]) -> dict[str, timedelta]:
    """Return the public ids of orders, and the time since each was placed.

    Both times come from the database's clock: this machine's clock may differ by a minute.
    """
    age = func.clock_timestamp() - Order.created_at
    rows = session.execute(select(Order.public_id, age).where(Order.id.in_(order_ids)))
    return dict(rows.all())


def bought_together(session: Session, product_id: int, limit: int) -> list[int]:
    """Return the ids of the products that recent baskets most often have together with this one, best first."""
    other = aliased(OrderLine)
    baskets = (
        select(OrderLine.order_id)
        .where(OrderLine.product_id == product_id)
        .order_by(OrderLine.order_id.desc())
        .limit(MAX_BASKETS)
        .subquery()
    )
    return list(
        session.scalars(
            select(other.product_id)
            .join(baskets, baskets.c.order_id == other.order_id)
            .where(other.product_id != product_id)
            .group_by(other.product_id)
            .order_by(func.count().desc(), other.product_id)
            .limit(limit)
        )
    )


def _page(session: Session, orders: Select[Order], after: str | None, limit: int) -> Sequence[Order]:
    """Keyset pagination: continue after the last order of the previous page."""
    if after is not None:
        last_id = session.scalar(orders.with_only_columns(Order.id).where(Order.public_id == after))
        if last_id is None:
            raise InvalidFields("This page does not exist.", errors={"cursor": "unknown"})
        orders = orders.where(Order.id < last_id)
    return session.scalars(orders.order_by(Order.id.desc()).limit(limit)).all()


def _views(session: Session, orders: Sequence[Order]) -> list[OrderView]:
    order_ids = [order.id for order in orders]
    lines, events = defaultdict(list), defaultdict(list)
    if order_ids:
        for line in session.scalars(
            select(OrderLine).where(OrderLine.order_id.in_(order_ids)).order_by(OrderLine.order_id, OrderLine.position)
        ):
            unit_price = Money(line.unit_price_amount)
            lines[line.order_id].append(OrderedLine(line.product_id, line.title, line.quantity, unit_price))
        for event in session.scalars(
            select(OrderEventRow).where(OrderEventRow.order_id.in_(order_ids)).order_by(OrderEventRow.version)
        ):
            events[event.order_id].append(
                StoredEvent(event.version, event.type, event.schema_version, event.data, event.recorded_at)
            )
    return [
        OrderView(
            id=order.id,
            public_id=order.public_id,
            number=order.number,
            email=order.email,
            status=OrderStatus(order.status),
            total=Money(order.total_amount, order.currency),
            address=order.address,
            created_at=order.created_at,
            lines=tuple(lines[order.id]),
            events=tuple(events[order.id]),
        )
        for order in orders
    ]
