"""Orders change only here: a command is decided on, its events are appended, and the rows follow, in one transaction.

Whoever changes an order locks its row first: money and pieces move with it, and queueing is cheaper than doing all of
it over. The version says that nobody forgot to: an append behind another version than the one that was read is
refused, and run again from the reading on.
"""

import random
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, Table, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import DeferredStatement
from shop.database.transactions import Database
from shop.errors import NotFound
from shop.money import Money
from shop.orders import ids
from shop.orders.events import OrderedLine, OrderPlaced, serialize
from shop.orders.models import STREAMS, Order, OrderLine
from shop.orders.order_state import AdoptOrder, Command, OrderState, decide, fold
from shop.orders.projection import OrderProjection
from shop.orders.transitions import OrderStatus
from shop.patterns.event_sourcing import StoredEvent

_randomness = random.SystemRandom()


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
    guest_id: uuid.UUID | None
    email: str
    address: Mapping[str, str]
    lines: Sequence[OrderedLine]
    key: CheckoutKey
    cart_lines: Mapping[int, uuid.UUID] = field(default_factory=dict)
    """Product id to the cart's line it was placed from."""

    @property
    def total(self) -> Money:
        """Return what all lines come to."""
        return sum((line.total for line in self.lines), Money(0))


@dataclass(frozen=True, slots=True)
class LockedOrder:
    """The row of an order that is locked, or that was just placed, as it stood then."""

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
    """An order after a change: its head as it was locked, its whole stream, and what that comes to."""

    head: LockedOrder
    stream: Sequence[StoredEvent]
    state: OrderState


_orders = cast(Table, Order.__table__)
_HEAD = tuple(_orders.columns[name] for name in LockedOrder.__slots__)
_TAKE_TURNS = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("owner"), 0)))
_LOCK = select(*_HEAD).where(_orders.columns.public_id == bindparam("wanted")).with_for_update()
_LOCK_GUESTS = (
    select(*_HEAD)
    .where(
        _orders.columns.guest_id.in_(bindparam("guest_ids", expanding=True)),
        _orders.columns.user_id.is_(None),
    )
    .order_by(_orders.columns.id)
    .with_for_update()
)
_PLACE = insert(_orders).on_conflict_do_nothing().returning(*_HEAD)
_ADD_LINE = insert(cast(Table, OrderLine.__table__)).inline()
_FOLLOW = update(_orders).where(_orders.columns.id == bindparam("order_id"))
_FOLLOW_GUEST = text("""
WITH following AS (
    SELECT id FROM orders WHERE guest_id = :earlier_id AND user_id IS NULL ORDER BY id FOR UPDATE
)
UPDATE orders AS followed SET guest_id = :guest FROM following WHERE following.id = followed.id
""")
"""Locked by id first, as by all that lock several orders: the index by guest leads from the latest to the first."""
_MOVE_CLAIMS = text("""
WITH moving AS (
    SELECT id FROM orders WHERE checkout_owner = :giver ORDER BY id FOR UPDATE
)
UPDATE orders AS moved
   SET checkout_owner = :taker,
       checkout_key = CASE WHEN EXISTS (
           SELECT FROM orders AS own WHERE own.checkout_owner = :taker AND own.checkout_key = moved.checkout_key
       ) THEN 'moved ' || moved.public_id ELSE moved.checkout_key END
  FROM moving WHERE moved.id = moving.id
""")
"""A key that both have used stays the taker's; the order of the other is known by a key that nobody chooses."""
_FREE_KEY = _FOLLOW.values(checkout_owner=None, checkout_key=None)


def lock_owner(session: Session, owner: str) -> None:
    """Let one checkout of an owner be placed at a time, until the caller's transaction ends.

    No row stands for "this owner's next order", so what is locked is the name. It is taken before any row's lock, by
    placing, which takes one, and by a log-in, which takes the guest's and then the account's. So nobody can wait for it
    in a circle.
    """
    session.execute(_TAKE_TURNS, {"owner": owner})


def lock(session: Session, public_id: str) -> LockedOrder:
    """Return an order for changing; whoever else wants to change it waits until this transaction ends.

    Raises:
        NotFound: there is none.
    """
    found = session.execute(_LOCK, {"wanted": public_id}).one_or_none()
    if found is None:
        raise NotFound("There is no such order.")
    return _head(found)


def move_claims(session: Session, giver: str, taker: str) -> None:
    """Let all orders placed from one owner's cart, open or settled, count as placed from another's.

    Args:
        session: the caller's transaction, in which it is both owners' turn.
        giver: the owner whose cart is about to go.
        taker: the owner who gets it.
    """
    session.execute(_MOVE_CLAIMS, {"giver": giver, "taker": taker})


def free_key(session: Session, order_id: int) -> None:
    """Let the key of a locked order's checkout be used again, from the start."""
    session.execute(_FREE_KEY, {"order_id": order_id})


def follow(session: Session, earlier_id: uuid.UUID, guest_id: uuid.UUID) -> None:
    """Let a guest's orders under an earlier id stand under another; those of an account stay as they are."""
    session.execute(_FOLLOW_GUEST, {"earlier_id": earlier_id, "guest": guest_id})


class OrderStreams:
    """Places orders and changes them.

    Args:
        projection: told of every order that changed.
    """

    def __init__(self, projection: OrderProjection) -> None:
        self._projection = projection

    def place(self, session: Session, new: NewOrder) -> LockedOrder | None:
        """Write a new order, waiting for its payment.

        Another request that is placing an order under the same key right now is waited for: the unique index decides.

        Returns:
            The order, or ``None`` when the key has an order already (or, by a rare chance, the number is taken: then
            the key has none, and the caller tries again).
        """
        placed = OrderPlaced(ids.new_public_id(_randomness), ids.new_number(_randomness), new.user_id, tuple(new.lines))
        found = session.execute(_PLACE, _row(new, placed)).one_or_none()
        if found is None:
            return None
        head = _head(found)
        lines = [
            {**_line(head.id, position, line), "cart_line_id": new.cart_lines.get(line.product_id)}
            for position, line in enumerate(new.lines, start=1)
        ]
        Database.execute_with_commit(session, DeferredStatement(_ADD_LINE, lines))
        stored = STREAMS.append(session, head.id, 0, [serialize(placed)])
        self._projection.changed(session, head.id, fold(stored))
        return head

    def change(self, session: Session, order: LockedOrder, command: Command) -> OrderChange:
        """Decide on a command, append what it comes to, and let the order's row follow.

        Args:
            session: the caller's transaction.
            order: from :func:`lock`.
            command: what is wanted.

        Returns:
            The order as it stands then.

        Raises:
            IllegalTransition: an order that stands there cannot do that.
            ConcurrencyConflict: somebody changed it without the lock; the caller's transaction has to be run again.
        """
        seen = STREAMS.load(session, order.id)
        state = fold(seen)
        decided = decide(state, command)
        if not decided:
            return OrderChange(order, seen, state)
        stored = STREAMS.append(session, order.id, state.version, [serialize(event) for event in decided])
        state = fold(stored, state)
        follows = {"status": state.status.value, "version": state.version, "user_id": state.user_id}
        session.execute(_FOLLOW, {"order_id": order.id, **follows})
        self._projection.changed(session, order.id, state)
        return OrderChange(order, [*seen, *stored], state)

    def claim_guest_orders(
        self, session: Session, guest_ids: Collection[uuid.UUID], user_id: int, is_hers: Callable[[str], bool]
    ) -> int:
        """Make those of a guest's orders an account's whose e-mail is its own; what has an account stays with it.

        Returns:
            How many orders that were.
        """
        found = session.execute(_LOCK_GUESTS, {"guest_ids": list(guest_ids)}).all()
        hers = [_head(row) for row in found if is_hers(row.email)]
        for order in hers:
            self.change(session, order, AdoptOrder(user_id))
        return len(hers)


def _head(row: Row[Any]) -> LockedOrder:
    return LockedOrder(**{**row._mapping, "status": OrderStatus(row.status)})


def _row(new: NewOrder, placed: OrderPlaced) -> dict[str, object]:
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


def _line(order_id: int, position: int, line: OrderedLine) -> dict[str, object]:
    return {
        "order_id": order_id,
        "position": position,
        "product_id": line.product_id,
        "title": line.title,
        "quantity": line.quantity,
        "unit_price_amount": line.unit_price.amount,
    }
