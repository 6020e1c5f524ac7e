"""Changes of orders: one transaction decides on a command, appends its events, and updates the order's rows.

A transaction locks the order's row before it changes the order. Payment and stock change in the same transaction, so
waiting for the lock is cheaper than running the transaction again. The version detects a transaction that changes the
order without the lock: events are appended only if the stream still has the version that was read. Otherwise the
transaction runs again.
"""

import random
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import PipelinedStatement
from shop.database.transactions import Database
from shop.errors import NotFound
from shop.money import Money
from shop.orders import ids
from shop.orders.checkout_keys import CheckoutKey
from shop.orders.events import OrderedLine, OrderPlaced, serialize
from shop.orders.models import STREAMS, Order, OrderLine
from shop.orders.order_state import AdoptOrder, Command, OrderState, decide, fold
from shop.orders.projection import OrderProjection
from shop.orders.transitions import OrderStatus
from shop.patterns.event_sourcing import StoredEvent

_randomness = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class NewOrder:
    """The data of a new order."""

    user_id: int | None
    guest_id: uuid.UUID | None
    email: str
    address: Mapping[str, str]
    lines: Sequence[OrderedLine]
    key: CheckoutKey
    cart_lines: Mapping[int, uuid.UUID] = field(default_factory=dict)
    """Product id to the id of the cart's line."""

    @property
    def total(self) -> Money:
        """Return the sum of all lines."""
        return sum((line.total for line in self.lines), Money(0))


@dataclass(frozen=True, slots=True)
class LockedOrder:
    """The row of an order when it was locked. A transaction that has inserted the row holds its lock as well."""

    id: int
    public_id: str
    number: str
    status: OrderStatus
    email: str
    address: Mapping[str, Any]
    checkout_owner: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OrderChange:
    """An order after a change: its row when it was locked, its entire stream, and its new state."""

    head: LockedOrder
    stream: Sequence[StoredEvent]
    state: OrderState


_orders = cast(Table, Order.__table__)
_HEAD = tuple(_orders.columns[name] for name in LockedOrder.__slots__)
_LOCK = select(*_HEAD).where(_orders.columns.public_id == bindparam("public_id")).with_for_update()
_LOCK_GUEST_ORDERS = (
    select(*_HEAD)
    .where(
        _orders.columns.guest_id.in_(bindparam("guest_ids", expanding=True)),
        _orders.columns.user_id.is_(None),
    )
    .order_by(_orders.columns.id)
    .with_for_update()
)
_INSERT_ORDER = insert(_orders).on_conflict_do_nothing().returning(*_HEAD)
_INSERT_LINE = insert(cast(Table, OrderLine.__table__)).inline()
_UPDATE_ORDER = update(_orders).where(_orders.columns.id == bindparam("order_id"))
_CHANGE_GUEST = text("""
WITH locked AS (
    SELECT id FROM orders WHERE guest_id = :earlier_id AND user_id IS NULL ORDER BY id FOR UPDATE
)
UPDATE orders AS changed SET guest_id = :guest FROM locked WHERE locked.id = changed.id
""")
"""Locks the orders by id first, as every statement that locks several orders does. The index by guest would lock them
from the latest to the first."""


def lock(session: Session, public_id: str) -> LockedOrder:
    """Lock an order's row until the transaction ends. Other transactions that change the order wait.

    Raises:
        NotFound: the order does not exist.
    """
    row = session.execute(_LOCK, {"public_id": public_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such order.")
    return _locked_order(row)


def change_guest_id(session: Session, earlier_id: uuid.UUID, guest_id: uuid.UUID) -> None:
    """Move a guest's orders from an earlier guest id to another one. Orders of an account stay unchanged."""
    session.execute(_CHANGE_GUEST, {"earlier_id": earlier_id, "guest": guest_id})


class OrderStreams:
    """Places orders and changes them.

    Args:
        projection: updates the read model after each change.
    """

    def __init__(self, projection: OrderProjection) -> None:
        self._projection = projection

    def place(self, session: Session, new: NewOrder) -> LockedOrder | None:
        """Write a new order with an open payment.

        The unique index on the checkout key decides between two requests that place an order under the same key.

        Returns:
            The order; ``None`` if the key has an order already, or if the random number is taken: in both cases the
            caller tries again.
        """
        placed = OrderPlaced(ids.new_public_id(_randomness), ids.new_number(_randomness), new.user_id, tuple(new.lines))
        row = session.execute(_INSERT_ORDER, _order_row(new, placed)).one_or_none()
        if row is None:
            return None
        head = _locked_order(row)
        lines = [
            {
                "order_id": head.id,
                "position": position,
                "product_id": line.product_id,
                "title": line.title,
                "quantity": line.quantity,
                "unit_price_amount": line.unit_price.amount,
                "cart_line_id": new.cart_lines.get(line.product_id),
            }
            for position, line in enumerate(new.lines, start=1)
        ]
        Database.execute_with_commit(session, PipelinedStatement(_INSERT_LINE, lines))
        stored = STREAMS.append(session, head.id, 0, [serialize(placed)])
        self._projection.update(session, head.id, fold(stored))
        return head

    def change(self, session: Session, order: LockedOrder, command: Command) -> OrderChange:
        """Decide on a command, append its events, and update the order's row.

        Args:
            session: the caller's transaction.
            order: from :func:`lock`.
            command: the change.

        Returns:
            The order after the change.

        Raises:
            IllegalTransition: the order's status does not allow the command.
            ConcurrencyConflict: a transaction without the lock changed the order; run the caller's transaction again.
        """
        stream = STREAMS.load(session, order.id)
        state = fold(stream)
        events = decide(state, command)
        if not events:
            return OrderChange(order, stream, state)
        stored = STREAMS.append(session, order.id, state.version, [serialize(event) for event in events])
        state = fold(stored, state)
        row = {"status": state.status.value, "version": state.version, "user_id": state.user_id}
        session.execute(_UPDATE_ORDER, {"order_id": order.id, **row})
        self._projection.update(session, order.id, state)
        return OrderChange(order, [*stream, *stored], state)

    def claim_guest_orders(
        self, session: Session, guest_ids: Collection[uuid.UUID], user_id: int, owns_email: Callable[[str], bool]
    ) -> int:
        """Move those orders of a guest to an account that have the account's e-mail address.

        Returns:
            The number of moved orders.
        """
        rows = session.execute(_LOCK_GUEST_ORDERS, {"guest_ids": list(guest_ids)}).all()
        orders = [_locked_order(row) for row in rows if owns_email(row.email)]
        for order in orders:
            self.change(session, order, AdoptOrder(user_id))
        return len(orders)


def _locked_order(row: Row[Any]) -> LockedOrder:
    return LockedOrder(**{**row._mapping, "status": OrderStatus(row.status)})


def _order_row(new: NewOrder, placed: OrderPlaced) -> dict[str, object]:
    return {
        "public_id": placed.public_id,
        "number": placed.number,
        "user_id": new.user_id,
        "guest_id": new.guest_id,
        "email": new.email,
        "status": OrderStatus.PENDING_PAYMENT.value,
        "version": 1,
        "total_amount": placed.total.amount,
        "currency": placed.total.currency,
        "address": dict(new.address),
        "checkout_owner": new.key.owner,
        "checkout_key": new.key.key,
        "checkout_fingerprint": new.key.fingerprint,
    }
