"""Personal data in orders: export and erasure.

Only the order's row has contact details, and no event has them. So erasure changes nothing that is rebuilt from the
events. The country stays: taxes depend on it, and it identifies no person.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shop.orders.models import Order, OrderEventRow, OrderLine
from shop.orders.transitions import OrderStatus
from shop.patterns.idempotency.key_owners import guest_owner, is_guest

OPEN_STATUSES = (OrderStatus.PENDING_PAYMENT, OrderStatus.PAID, OrderStatus.SHIPPED)
"""Orders in these statuses still need their address."""
BLANK_ADDRESS = {"name": "", "line1": "", "city": "", "postcode": ""}


@dataclass(frozen=True, slots=True)
class PersonsOrder:
    """An order of a person, with the fields that export and erasure need."""

    id: int
    public_id: str
    number: str
    status: OrderStatus
    user_id: int | None
    guest_owners: frozenset[str]
    """The guests whose idempotency keys belong to the order. Accounts are left out: they may be other persons."""


def account_ids_with_email(session: Session, email: str) -> set[int]:
    """Return the accounts whose orders have an e-mail address."""
    has_email = (func.lower(Order.email) == email) & Order.user_id.is_not(None)
    user_ids = session.scalars(select(Order.user_id).where(has_email).distinct())
    return {user_id for user_id in user_ids if user_id is not None}


def lock_orders_of_person(
    session: Session, email: str, user_id: int | None, blanked: Collection[int]
) -> list[PersonsOrder]:
    """Return a person's orders, the oldest first, and lock them until the transaction ends.

    Args:
        session: the caller's transaction.
        email: the person's address; guests' orders with it belong to the person.
        user_id: the person's account, if any.
        blanked: accounts that were erased while one of their orders was open.
    """
    is_theirs: ColumnElement[bool] = (func.lower(Order.email) == email) & or_(
        Order.user_id.is_(None), Order.user_id.in_(blanked)
    )
    if user_id is not None:
        is_theirs = or_(is_theirs, Order.user_id == user_id)
    rows = session.scalars(select(Order).where(is_theirs).order_by(Order.id).with_for_update(key_share=True))
    orders = []
    for row in rows:
        owners = (row.checkout_owner or "", guest_owner(row.guest_id) if row.guest_id else "")
        guests = frozenset(filter(is_guest, owners))
        orders.append(PersonsOrder(row.id, row.public_id, row.number, OrderStatus(row.status), row.user_id, guests))
    return orders


def export(session: Session, order_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return orders with contact details, lines and events."""
    names = ("public_id", "number", "status", "email", "address", "total_amount", "currency", "created_at")
    documents = []
    for order_id in order_ids:
        order = session.get_one(Order, order_id)
        lines = session.execute(
            select(OrderLine.title, OrderLine.quantity, OrderLine.unit_price_amount)
            .where(OrderLine.order_id == order_id)
            .order_by(OrderLine.position)
        )
        events = session.execute(
            select(OrderEventRow.type, OrderEventRow.data, OrderEventRow.recorded_at)
            .where(OrderEventRow.order_id == order_id)
            .order_by(OrderEventRow.version)
        )
        documents.append(
            {
                **{name: getattr(order, name) for name in names},
                "lines": [row._asdict() for row in lines],
                "events": [row._asdict() for row in events],
            }
        )
    return documents


def anonymise(session: Session, order_ids: Sequence[int]) -> None:
    """Erase name, address, e-mail address and guest of orders."""
    country = func.jsonb_build_object("country", func.coalesce(Order.address["country"].astext, ""))
    blanked = country.op("||")(cast(BLANK_ADDRESS, JSONB))
    erase = update(Order).where(Order.id.in_(order_ids)).values(email="", guest_id=None, address=blanked)
    session.execute(erase.execution_options(synchronize_session=False))
