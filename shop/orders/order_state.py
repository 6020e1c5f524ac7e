"""An order as its events leave it, and what may be done with it then. Pure: no clock, no database."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from shop.money import Money
from shop.orders import events
from shop.orders.events import (
    CancellationCause,
    OrderAdopted,
    OrderCancelled,
    OrderDelivered,
    OrderedLine,
    OrderEvent,
    OrderPlaced,
    OrderShipped,
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
    RefundClosed,
)
from shop.orders.transitions import EventType, IllegalTransition, OrderStatus, after, owes_refund
from shop.patterns.event_sourcing import StoredEvent


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order at one version of its stream."""

    version: int
    public_id: str
    number: str
    user_id: int | None
    lines: tuple[OrderedLine, ...]
    total: Money
    status: OrderStatus
    was_charged: bool
    refund_closed: bool
    placed_at: datetime
    changed_at: datetime

    @property
    def quantities(self) -> dict[int, int]:
        """Return product id to pieces."""
        found: Counter[int] = Counter()
        for line in self.lines:
            found[line.product_id] += line.quantity
        return dict(found)

    @property
    def owes_refund(self) -> bool:
        """Tell whether money was taken and must go back."""
        happened = [EventType.PAYMENT_CHARGED] if self.was_charged else []
        return owes_refund(self.status, [*happened, EventType.REFUND_CLOSED] if self.refund_closed else happened)


@dataclass(frozen=True, slots=True)
class RecordCharge:
    """The provider says that the money was taken."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class RecordDecline:
    """The provider says no: that ends the order."""

    reason: str


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Give the order up."""

    cause: CancellationCause


@dataclass(frozen=True, slots=True)
class ShipOrder:
    """Send it off."""


@dataclass(frozen=True, slots=True)
class DeliverOrder:
    """Note that it has arrived."""


@dataclass(frozen=True, slots=True)
class RecordRefund:
    """Note that the money is back."""


@dataclass(frozen=True, slots=True)
class CloseRefund:
    """Stop owing the money: staff has settled it in another way; arguments as :class:`RefundClosed`."""

    closed_by: int
    reason: str


@dataclass(frozen=True, slots=True)
class AdoptOrder:
    """Make a guest's order an account's; what has an account stays with it."""

    user_id: int


Command = (
    RecordCharge | RecordDecline | CancelOrder | ShipOrder | DeliverOrder | RecordRefund | CloseRefund | AdoptOrder
)


def decide(state: OrderState, command: Command) -> list[OrderEvent]:
    """Return what a command comes to.

    Args:
        state: the order as it stands.
        command: what is wanted of it.

    Returns:
        The events to append, oldest first; none where it is so already.

    Raises:
        IllegalTransition: an order that stands there cannot do that.
    """
    decided = _events_for(state, command)
    status: OrderStatus | None = state.status
    for event in decided:
        status = after(status, event.event_type)
    return decided


def evolve(state: OrderState | None, event: OrderEvent, version: int, at: datetime) -> OrderState:
    """Return the order after one more event.

    Args:
        state: the order before; ``None`` before it exists.
        event: what happened.
        version: its place in the stream.
        at: when it was recorded.

    Raises:
        IllegalTransition: that cannot have happened to an order that stood there.
    """
    status = after(state.status if state else None, event.event_type)
    match event, state:
        case OrderPlaced(public_id, number, user_id, lines), None:
            return OrderState(version, public_id, number, user_id, lines, event.total, status, False, False, at, at)
        case PaymentCharged(), OrderState():
            return replace(state, version=version, status=status, changed_at=at, was_charged=True)
        case RefundClosed(), OrderState():
            return replace(state, version=version, status=status, changed_at=at, refund_closed=True)
        case OrderAdopted(user_id), OrderState():
            return replace(state, version=version, status=status, changed_at=at, user_id=user_id)
        case _, OrderState():
            return replace(state, version=version, status=status, changed_at=at)
    raise IllegalTransition(None, event.event_type)


def fold(stream: Iterable[StoredEvent], state: OrderState | None = None) -> OrderState:
    """Return an order after its events.

    Args:
        stream: stored events, oldest first, of any schema version.
        state: the order before them; ``None`` for a stream from its beginning.

    Raises:
        IllegalTransition: the events tell an impossible story, or there are none.
        UnknownEventVersion: one of them was written by a newer store.
    """
    for stored in stream:
        state = evolve(state, events.deserialize(stored), stored.version, stored.recorded_at)
    if state is None:
        raise IllegalTransition(None, None)
    return state


def _events_for(state: OrderState, command: Command) -> list[OrderEvent]:
    match command:
        case RecordCharge(provider_id):
            return [PaymentCharged(provider_id)]
        case RecordDecline(reason):
            return [PaymentDeclined(reason), OrderCancelled(CancellationCause.DECLINED)]
        case CancelOrder(cause):
            return [OrderCancelled(cause)]
        case ShipOrder():
            return [OrderShipped()]
        case DeliverOrder():
            return [OrderDelivered()]
        case RecordRefund():
            return [PaymentRefunded()]
        case CloseRefund(closed_by, reason):
            if not state.owes_refund:
                raise IllegalTransition(state.status, EventType.REFUND_CLOSED)
            return [RefundClosed(closed_by, reason)]
        case AdoptOrder(user_id):
            return [] if state.user_id is not None else [OrderAdopted(user_id)]
