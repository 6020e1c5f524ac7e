"""Orders change only here: a command is decided on, its events are appended, and the rows follow, in one transaction.

Whoever changes an order locks its row first: money and pieces move with it, and queueing is cheaper than doing all of
it over. The version says that nobody forgot to: an append behind another version than the one that was read is
refused, and run again from the reading on.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from shop.errors import NotFound
from shop.money import Money
from shop.orders import ids
from shop.orders.events import Line, OrderPlaced, written
from shop.orders.models import STREAMS, Order, OrderLine
from shop.orders.projection import Projection
from shop.orders.state import Adopt, Command, OrderState, decide, fold
from shop.orders.transitions import Status

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
    email: str
    address: Mapping[str, str]
    lines: Sequence[Line]
    key: CheckoutKey
    reserved_for: timedelta
    """How long its pieces are promised before it is paid."""

    @property
    def total(self) -> Money:
        """Return what all lines come to."""
        return sum((line.total for line in self.lines), Money(0))


def take_turns(session: Session, owner: str) -> None:
    """Let one checkout of an owner be placed at a time, until the caller's transaction ends.

    No row stands for "this owner's next order", so what is locked is the name. It is taken before any row's lock, and
    by nothing but placing, so nobody can wait for it in a circle.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(owner, 0))))


def lock(session: Session, public_id: str) -> Order:
    """Return an order for changing; whoever else wants to change it waits until this transaction ends.

    Raises:
        NotFound: there is none.
    """
    order = session.scalar(select(Order).where(Order.public_id == public_id).with_for_update())
    if order is None:
        raise NotFound("There is no such order.")
    return order


class OrderStreams:
    """Places orders and changes them.

    Args:
        projection: told of every order that changed.
    """

    def __init__(self, projection: Projection) -> None:
        self._projection = projection

    def place(self, session: Session, new: NewOrder) -> Order | None:
        """Write a new order, waiting for its payment.

        Another request that is placing an order under the same key right now is waited for: the unique index decides.

        Returns:
            The order, or ``None`` when the key has an order already (or, by a rare chance, the number is taken: then
            the key has none, and the caller tries again).
        """
        placed = OrderPlaced(ids.new_public_id(_randomness), ids.new_number(_randomness), new.user_id, tuple(new.lines))
        order_id = session.execute(_insertion(new, placed).returning(Order.id)).scalar_one_or_none()
        if order_id is None:
            return None
        session.add_all(_row(order_id, position, line) for position, line in enumerate(new.lines, start=1))
        self._projection.changed(session, order_id, fold(STREAMS.append(session, order_id, 0, [written(placed)])))
        session.flush()
        return session.get_one(Order, order_id)

    def change(self, session: Session, order: Order, command: Command) -> OrderState:
        """Decide on a command, append what it comes to, and let the order's row follow.

        Args:
            session: the caller's transaction.
            order: from :func:`lock`.
            command: what is wanted.

        Returns:
            The order as it stands then.

        Raises:
            IllegalTransition: an order that stands there cannot do that.
            StreamMoved: somebody changed it without the lock; the caller's transaction has to be run again.
        """
        state = fold(STREAMS.load(session, order.id))
        decided = decide(state, command)
        if not decided:
            return state
        stored = STREAMS.append(session, order.id, state.version, [written(event) for event in decided])
        state = fold(stored, state)
        order.status, order.version, order.user_id = state.status.value, state.version, state.user_id
        session.flush()
        self._projection.changed(session, order.id, state)
        return state

    def adopt(self, session: Session, public_ids: Sequence[str], user_id: int) -> None:
        """Make a guest's orders an account's; what has an account stays with it."""
        orders = select(Order).where(Order.public_id.in_(public_ids), Order.user_id.is_(None)).order_by(Order.id)
        for order in session.scalars(orders.with_for_update()).all():
            self.change(session, order, Adopt(user_id))


def _insertion(new: NewOrder, placed: OrderPlaced) -> Insert:
    return (
        insert(Order)
        .values(
            public_id=placed.public_id,
            number=placed.number,
            user_id=new.user_id,
            email=new.email,
            status=Status.PENDING_PAYMENT.value,
            version=1,
            total_amount=placed.total.amount,
            currency=placed.total.currency,
            address=dict(new.address),
            checkout_owner=new.key.owner,
            checkout_key=new.key.key,
            checkout_fingerprint=new.key.fingerprint,
            reserved_until=func.clock_timestamp() + new.reserved_for,
        )
        .on_conflict_do_nothing()
    )


def _row(order_id: int, position: int, line: Line) -> OrderLine:
    return OrderLine(
        order_id=order_id,
        position=position,
        product_id=line.product_id,
        title=line.title,
        quantity=line.quantity,
        unit_price_amount=line.unit_price.amount,
    )
