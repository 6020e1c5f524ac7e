"""The state of an order: a fold over its events, and decisions on commands. Pure: no clock, no database."""

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
from shop.orders.transitions import EventType, IllegalTransition, OrderStatus, next_status, owes_refund
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
        """Return the quantity of each product, by product id."""
        quantities: Counter[int] = Counter()
        for line in self.lines:
            quantities[line.product_id] += line.quantity
        return dict(quantities)

    @property
    def owes_refund(self) -> bool:
        """Tell whether a refund is due."""
        event_types = [EventType.PAYMENT_CHARGED] if self.was_charged else []
        return owes_refund(self.status, [*event_types, EventType.REFUND_CLOSED] if self.refund_closed else event_types)


@dataclass(frozen=True, slots=True)
class RecordCharge:
    """Record that the provider has charged the card."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class RecordDecline:
    """Record that the provider has declined the charge. That cancels the order."""

    reason: str


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel the order."""

    cause: CancellationCause


@dataclass(frozen=True, slots=True)
class ShipOrder:
    """Ship the order."""


@dataclass(frozen=True, slots=True)
class DeliverOrder:
    """Record that the order has arrived."""


@dataclass(frozen=True, slots=True)
class RecordRefund:
    """Record that the charge is refunded."""


@dataclass(frozen=True, slots=True)
class CloseRefund:
    """Close the refund: staff has settled it in another way; arguments as :class:`RefundClosed`."""

    closed_by: int
    reason: str


@dataclass(frozen=True, slots=True)
class AdoptOrder:
    """Move a guest's order into an account. An order of an account does not change."""

    user_id: int


Command = (
    RecordCharge | RecordDecline | CancelOrder | ShipOrder | DeliverOrder | RecordRefund | CloseRefund | AdoptOrder
)


def decide(state: OrderState, command: Command) -> list[OrderEvent]:
    """Return the events of a command.

    Args:
        state: the order's state.
        command: the command.

    Returns:
        The events to append, oldest first; none if the command changes nothing.

    Raises:
        IllegalTransition: the order's status does not allow the command.
    """
    decided = _events_of(state, command)
    status: OrderStatus | None = state.status
    for event in decided:
        status = next_status(status, event.event_type)
    return decided


def evolve(state: OrderState | None, event: OrderEvent, version: int, at: datetime) -> OrderState:
    """Return the order after one more event.

    Args:
        state: the order before; ``None`` before it exists.
        event: the event.
        version: its version in the stream.
        at: the time it was recorded.

    Raises:
        IllegalTransition: the order's status does not allow the event.
    """
    status = next_status(state.status if state else None, event.event_type)
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
    """Return the state of an order after its events.

    Args:
        stream: stored events, oldest first, of any schema version.
        state: the order before them; ``None`` for a stream from its beginning.

    Raises:
        IllegalTransition: the stream is empty, or a status does not allow its next event.
        UnknownEventVersion: a newer version of the store wrote one of the events.
    """
    for stored in stream:
        state = evolve(state, events.deserialize(stored), stored.version, stored.recorded_at)
    if state is None:
        raise IllegalTransition(None, None)
    return state


def _events_of(state: OrderState, command: Command) -> list[OrderEvent]:
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
