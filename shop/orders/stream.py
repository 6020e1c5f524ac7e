"""Orders change only here: an event is appended, and the row follows it, in the caller's transaction."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.errors import NotFound
from shop.money import Money
from shop.orders import ids
from shop.orders.models import Order, OrderEvent, OrderLine
from shop.orders.transitions import EventType, Status, after

_randomness = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class NewLine:
    """A product to be ordered, at the price it has now."""

    product_id: int
    title: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class CheckoutKey:
    """What makes two submissions of a checkout the same one.

    Args:
        owner: whose key it is, so that two people's keys never meet.
        key: the ``Idempotency-Key``; ``None`` where every submission counts as a new one.
        fingerprint: hash of what was asked for.
    """

    owner: str
    key: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class NewOrder:
    """Everything an order starts with."""

    user_id: int | None
    email: str
    address: Mapping[str, str]
    lines: Sequence[NewLine]
    key: CheckoutKey
    reserved_for: timedelta
    """How long its pieces are promised before it is paid."""

    @property
    def total(self) -> Money:
        """Return what all lines come to."""
        return sum((line.unit_price * line.quantity for line in self.lines), Money(0))


def take_turns(session: Session, owner: str) -> None:
    """Let one checkout of an owner be placed at a time, until the caller's transaction ends.

    No row stands for "this owner's next order", so what is locked is the name. It is taken before any row's lock, and
    by nothing but placing, so nobody can wait for it in a circle.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(owner, 0))))


def place(session: Session, new: NewOrder) -> Order | None:
    """Write a new order, waiting for its payment.

    Another request that is placing an order under the same key right now is waited for: the unique index decides.

    Returns:
        The order, or ``None`` when the key has an order already (or, by a rare chance, the number is taken: then the
        key has none, and the caller tries again).
    """
    order_id = session.execute(
        insert(Order)
        .values(
            public_id=ids.new_public_id(_randomness),
            number=ids.new_number(_randomness),
            user_id=new.user_id,
            email=new.email,
            status=Status.PENDING_PAYMENT.value,
            total_amount=new.total.amount,
            currency=new.total.currency,
            address=dict(new.address),
            checkout_owner=new.key.owner,
            checkout_key=new.key.key,
            checkout_fingerprint=new.key.fingerprint,
            reserved_until=func.clock_timestamp() + new.reserved_for,
        )
        .on_conflict_do_nothing()
        .returning(Order.id)
    ).scalar_one_or_none()
    if order_id is None:
        return None
    session.add_all(
        OrderLine(
            order_id=order_id,
            position=position,
            product_id=line.product_id,
            title=line.title,
            quantity=line.quantity,
            unit_price_amount=line.unit_price.amount,
        )
        for position, line in enumerate(new.lines, start=1)
    )
    total = new.total.to_json()
    session.add(OrderEvent(order_id=order_id, version=1, type=EventType.ORDER_PLACED.value, data={"total": total}))
    session.flush()
    return session.get_one(Order, order_id)


def lock(session: Session, public_id: str) -> Order:
    """Return an order for changing; whoever else wants to change it waits until this transaction ends.

    Raises:
        NotFound: there is none.
    """
    order = session.scalar(select(Order).where(Order.public_id == public_id).with_for_update())
    if order is None:
        raise NotFound("There is no such order.")
    return order


def adopt(session: Session, public_ids: Sequence[str], user_id: int) -> None:
    """Make a guest's orders an account's; what has an account stays with it."""
    session.execute(
        update(Order).where(Order.public_id.in_(public_ids), Order.user_id.is_(None)).values(user_id=user_id)
    )


def record(session: Session, order: Order, event: EventType, data: Mapping[str, Any] | None = None) -> None:
    """Append an event to a locked order and let its status follow.

    The version is unique within the order: of two writers that both forgot to lock, one fails.

    Raises:
        Conflict: that cannot happen to the order as it stands.
    """
    following = after(Status(order.status), event)
    version = session.scalar(select(func.max(OrderEvent.version)).where(OrderEvent.order_id == order.id)) or 0
    session.add(OrderEvent(order_id=order.id, version=version + 1, type=event.value, data=dict(data or {})))
    order.status = following.value
    session.flush()


def quantities(session: Session, order_id: int) -> dict[int, int]:
    """Return product id to pieces of an order."""
    rows = session.execute(
        select(OrderLine.product_id, func.sum(OrderLine.quantity))
        .where(OrderLine.order_id == order_id)
        .group_by(OrderLine.product_id)
    )
    return {product_id: int(count) for product_id, count in rows}
