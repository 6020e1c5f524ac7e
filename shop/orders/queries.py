"""Reading orders: three queries a page of them, however many there are."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from shop.errors import InvalidFields, NotFound
from shop.money import Money
from shop.orders.events import OrderedLine
from shop.orders.models import Order, OrderEvent, OrderLine
from shop.orders.order_stream import OrderChange
from shop.orders.transitions import EventType, OrderStatus, owes_refund

BASKETS_LOOKED_AT = 400
"""The latest baskets with a product say what goes with it; all of them would say the same, for a popular one at a
hundred times the cost."""


_IN_THE_WAY = (
    select(Order)
    .where(
        Order.checkout_owner == bindparam("owner"),
        or_(Order.checkout_key == bindparam("key"), Order.status == OrderStatus.PENDING_PAYMENT.value),
    )
    .order_by((Order.checkout_key == bindparam("key")).desc().nulls_last(), Order.id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class OrderHistoryEntry:
    """Something that happened to an order."""

    type: EventType
    data: dict[str, Any]
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class OrderHolder:
    """Whose an order is.

    Args:
        public_id: the order.
        user_id: the account that placed or adopted it, if one did.
        guest_id: the guest who placed it, if a guest did.
    """

    public_id: str
    user_id: int | None
    guest_id: uuid.UUID | None

    @property
    def is_guest(self) -> bool:
        """Tell whether a guest has it: no account does, and it is not a forgotten person's."""
        return self.user_id is None and self.guest_id is not None


@dataclass(frozen=True, slots=True)
class GuestContact:
    """A guest's order, and the address its mail goes to."""

    public_id: str
    email: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its lines and its story."""

    id: int
    public_id: str
    number: str
    email: str
    status: OrderStatus
    total: Money
    address: dict[str, Any]
    created_at: datetime
    lines: tuple[OrderedLine, ...]
    events: tuple[OrderHistoryEntry, ...]

    @property
    def refund_pending(self) -> bool:
        """Tell whether money is still to go back."""
        return owes_refund(self.status, [event.type for event in self.events])


def of_user(session: Session, user_id: int, after: str | None, limit: int) -> list[OrderView]:
    """Return an account's orders, newest first.

    Args:
        session: reads only.
        user_id: the account.
        after: the public id of the last order seen.
        limit: how many at most.

    Raises:
        InvalidFields: ``after`` is no order of this account.
    """
    chosen = select(Order).where(Order.user_id == user_id)
    return _views(session, _page(session, chosen, after, limit))


def of_guest(session: Session, guest_ids: Collection[uuid.UUID], after: str | None, limit: int) -> list[OrderView]:
    """Return the orders a guest placed and no account has adopted, newest first. Otherwise as :func:`of_user`."""
    chosen = select(Order).where(Order.guest_id.in_(guest_ids), Order.user_id.is_(None))
    return _views(session, _page(session, chosen, after, limit))


def one(session: Session, public_id: str) -> tuple[OrderView, OrderHolder] | None:
    """Return an order and whose it is; ``None`` where there is no such order."""
    order = session.scalar(select(Order).where(Order.public_id == public_id))
    return (_views(session, [order])[0], OrderHolder(public_id, order.user_id, order.guest_id)) if order else None


def guest_contact(session: Session, number: str, pause: timedelta) -> GuestContact | None:
    """Return the guest's order with a number; ``None`` where an account has it, or its link was sent just now.

    Args:
        session: reads only.
        number: as people read it out.
        pause: how long after a link was sent no other is.
    """
    due = or_(Order.link_sent_at.is_(None), Order.link_sent_at < func.clock_timestamp() - pause)
    row = session.execute(
        select(Order.public_id, Order.email).where(
            Order.number == number, Order.user_id.is_(None), Order.guest_id.is_not(None), due
        )
    ).one_or_none()
    return GuestContact(row.public_id, row.email) if row else None


def note_link_sent(session: Session, public_id: str) -> None:
    """Write down that the link to an order was sent again just now."""
    session.execute(update(Order).where(Order.public_id == public_id).values(link_sent_at=func.clock_timestamp()))


def after(changed: OrderChange) -> OrderView:
    """Return an order as the transaction that has just changed it leaves it; asks the database nothing."""
    head, state = changed.head, changed.state
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
        events=tuple(
            OrderHistoryEntry(EventType(stored.type), dict(stored.data), stored.recorded_at)
            for stored in changed.stream
        ),
    )


def internal_id(session: Session, public_id: str) -> int:
    """Return the key other tables know an order by.

    Raises:
        NotFound: there is no such order.
    """
    order_id = session.scalar(select(Order.id).where(Order.public_id == public_id))
    if order_id is None:
        raise NotFound("There is no such order.")
    return order_id


def public_id(session: Session, order_id: int) -> str | None:
    """Return what an order is called outside, or ``None`` where there is none."""
    return session.scalar(select(Order.public_id).where(Order.id == order_id))


def ages(session: Session, order_ids: Sequence[int]) -> dict[str, timedelta]:
    """Return the public ids of orders, and how long ago each was placed.

    Both ends are read from the database's clock: this machine's may be a minute off.
    """
    age = func.clock_timestamp() - Order.created_at
    rows = session.execute(select(Order.public_id, age).where(Order.id.in_(order_ids)))
    return dict(rows.all())


def conflicting_checkout(session: Session, owner: str, key: str) -> Order | None:
    """Return what a checkout of this owner's must look at before it places an order.

    That is the order that was placed under its key; else one placed under another key whose payment is still open.
    """
    return session.scalars(_IN_THE_WAY, {"owner": owner, "key": key}).one_or_none()


def bought_together(session: Session, product_id: int, limit: int) -> list[int]:
    """Return the ids of products most often in the same recent baskets as this one, best first."""
    theirs = aliased(OrderLine)
    baskets = (
        select(OrderLine.order_id)
        .where(OrderLine.product_id == product_id)
        .order_by(OrderLine.order_id.desc())
        .limit(BASKETS_LOOKED_AT)
        .subquery()
    )
    return list(
        session.scalars(
            select(theirs.product_id)
            .join(baskets, baskets.c.order_id == theirs.order_id)
            .where(theirs.product_id != product_id)
            .group_by(theirs.product_id)
            .order_by(func.count().desc(), theirs.product_id)
            .limit(limit)
        )
    )


def _page(session: Session, chosen: Select[Order], after: str | None, limit: int) -> Sequence[Order]:
    if after is not None:
        last = session.scalar(chosen.with_only_columns(Order.id).where(Order.public_id == after))
        if last is None:
            raise InvalidFields("This page does not exist.", errors={"cursor": "unknown"})
        chosen = chosen.where(Order.id < last)
    return session.scalars(chosen.order_by(Order.id.desc()).limit(limit)).all()


def _views(session: Session, orders: Sequence[Order]) -> list[OrderView]:
    order_ids = [order.id for order in orders]
    lines, events = defaultdict(list), defaultdict(list)
    if order_ids:
        for line in session.scalars(
            select(OrderLine).where(OrderLine.order_id.in_(order_ids)).order_by(OrderLine.order_id, OrderLine.position)
        ):
            lines[line.order_id].append(_line(line))
        for event in session.scalars(
            select(OrderEvent).where(OrderEvent.order_id.in_(order_ids)).order_by(OrderEvent.version)
        ):
            events[event.order_id].append(OrderHistoryEntry(EventType(event.type), event.data, event.recorded_at))
    return [_view(order, lines[order.id], events[order.id]) for order in orders]


def _view(order: Order, lines: list[OrderedLine], events: list[OrderHistoryEntry]) -> OrderView:
    return OrderView(
        id=order.id,
        public_id=order.public_id,
        number=order.number,
        email=order.email,
        status=OrderStatus(order.status),
        total=Money(order.total_amount, order.currency),
        address=order.address,
        created_at=order.created_at,
        lines=tuple(lines),
        events=tuple(events),
    )


def _line(line: OrderLine) -> OrderedLine:
    return OrderedLine(line.product_id, line.title, line.quantity, Money(line.unit_price_amount))
