"""What orders hold about a person: told, and blanked.

Contact details stand in the order's own row and never in its events, so blanking them changes nothing that is rebuilt
from the events. The country stays: taxes are worked out by it, and it names nobody.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shop.orders.models import Order, OrderEvent, OrderLine
from shop.orders.transitions import OrderStatus

OPEN = (OrderStatus.PENDING_PAYMENT, OrderStatus.PAID, OrderStatus.SHIPPED)
"""They still need their address."""
BLANK_ADDRESS = {"name": "", "line1": "", "city": "", "postcode": ""}


@dataclass(frozen=True, slots=True)
class PersonsOrder:
    """An order of a person, as far as telling and blanking need it."""

    id: int
    public_id: str
    number: str
    status: OrderStatus
    user_id: int | None
    guests: frozenset[str]
    """Whose keys it may have claimed, such as ``guest:…``; never an account's, which may be another person's."""


def under_address(session: Session, email: str) -> set[int]:
    """Return the accounts whose orders name an address."""
    named = (func.lower(Order.email) == email) & Order.user_id.is_not(None)
    found = session.scalars(select(Order.user_id).where(named).distinct())
    return {user_id for user_id in found if user_id is not None}


def find(session: Session, email: str, user_id: int | None, blanked: Collection[int]) -> list[PersonsOrder]:
    """Return a person's orders, the oldest first, and lock them until the transaction ends.

    Args:
        session: of the transaction.
        email: the address; guests' orders under it are hers.
        user_id: her account, if she has one.
        blanked: accounts that were blanked while an order of theirs was on its way.
    """
    hers: ColumnElement[bool] = (func.lower(Order.email) == email) & or_(
        Order.user_id.is_(None), Order.user_id.in_(blanked)
    )
    if user_id is not None:
        hers = or_(hers, Order.user_id == user_id)
    rows = session.scalars(select(Order).where(hers).order_by(Order.id).with_for_update(key_share=True))
    return [
        PersonsOrder(row.id, row.public_id, row.number, OrderStatus(row.status), row.user_id, _guests(row))
        for row in rows
    ]


def export(session: Session, order_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return orders with contact details, lines and events."""
    return [_exported(session, session.get_one(Order, order_id)) for order_id in order_ids]


def blank(session: Session, order_ids: Sequence[int]) -> None:
    """Take address, names and the guest off orders."""
    country = func.jsonb_build_object("country", func.coalesce(Order.address["country"].astext, ""))
    blanked = country.op("||")(cast(BLANK_ADDRESS, JSONB))
    nothing = update(Order).where(Order.id.in_(order_ids)).values(email="", guest_id=None, address=blanked)
    session.execute(nothing.execution_options(synchronize_session=False))


def _guests(order: Order) -> frozenset[str]:
    claimed, placed = order.checkout_owner or "", f"guest:{order.guest_id}" if order.guest_id else ""
    return frozenset(name for name in (claimed, placed) if name.startswith("guest:"))


def _exported(session: Session, order: Order) -> dict[str, Any]:
    names = ("public_id", "number", "status", "email", "address", "total_amount", "currency", "created_at")
    lines = session.execute(
        select(OrderLine.title, OrderLine.quantity, OrderLine.unit_price_amount)
        .where(OrderLine.order_id == order.id)
        .order_by(OrderLine.position)
    )
    events = session.execute(
        select(OrderEvent.type, OrderEvent.data, OrderEvent.recorded_at)
        .where(OrderEvent.order_id == order.id)
        .order_by(OrderEvent.version)
    )
    return {
        **{name: getattr(order, name) for name in names},
        "lines": [row._asdict() for row in lines],
        "events": [row._asdict() for row in events],
    }
