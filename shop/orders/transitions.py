"""The statuses of an order, its event types, and the transitions between statuses. Pure: no clock, no database.

The store never sets an order's status; the status follows from the events. So the status is a fold over the stream, and
a transition that is missing in the table is illegal.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from shop.errors import StateConflict


class OrderStatus(StrEnum):
    """The status of an order."""

    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class EventType(StrEnum):
    """The types of an order's events, as they are stored."""

    ORDER_PLACED = "OrderPlaced"
    PAYMENT_CHARGED = "PaymentCharged"
    PAYMENT_DECLINED = "PaymentDeclined"
    ORDER_SHIPPED = "OrderShipped"
    ORDER_DELIVERED = "OrderDelivered"
    ORDER_CANCELLED = "OrderCancelled"
    PAYMENT_REFUNDED = "PaymentRefunded"
    REFUND_CLOSED = "RefundClosed"
    ORDER_ADOPTED = "OrderAdopted"


TRANSITIONS: Mapping[tuple[OrderStatus | None, EventType], OrderStatus] = MappingProxyType(
    {
        (None, EventType.ORDER_PLACED): OrderStatus.PENDING_PAYMENT,
        (OrderStatus.PENDING_PAYMENT, EventType.PAYMENT_CHARGED): OrderStatus.PAID,
        (OrderStatus.PENDING_PAYMENT, EventType.PAYMENT_DECLINED): OrderStatus.PENDING_PAYMENT,
        (OrderStatus.PENDING_PAYMENT, EventType.ORDER_CANCELLED): OrderStatus.CANCELLED,
        (OrderStatus.PAID, EventType.ORDER_SHIPPED): OrderStatus.SHIPPED,
        (OrderStatus.PAID, EventType.ORDER_CANCELLED): OrderStatus.CANCELLED,
        (OrderStatus.SHIPPED, EventType.ORDER_DELIVERED): OrderStatus.DELIVERED,
        # a charge whose response was lost can turn out to be successful after the order was cancelled
        (OrderStatus.CANCELLED, EventType.PAYMENT_CHARGED): OrderStatus.CANCELLED,
        (OrderStatus.CANCELLED, EventType.PAYMENT_REFUNDED): OrderStatus.REFUNDED,
        (OrderStatus.CANCELLED, EventType.REFUND_CLOSED): OrderStatus.CANCELLED,
        **{(status, EventType.ORDER_ADOPTED): status for status in OrderStatus},
    }
)

_PARTICIPLES: Mapping[EventType, str] = MappingProxyType(
    {
        EventType.PAYMENT_CHARGED: "paid",
        EventType.PAYMENT_DECLINED: "declined",
        EventType.ORDER_SHIPPED: "shipped",
        EventType.ORDER_DELIVERED: "delivered",
        EventType.ORDER_CANCELLED: "cancelled",
        EventType.PAYMENT_REFUNDED: "refunded",
        EventType.REFUND_CLOSED: "settled without a refund",
        EventType.ORDER_ADOPTED: "taken into an account",
    }
)


class IllegalTransition(StateConflict):
    """The order's status does not allow the event.

    Args:
        status: the order's status; ``None`` before the order exists.
        event: the refused event; ``None`` for an empty stream.
    """

    problem = "illegal-transition"

    def __init__(self, status: OrderStatus | None, event: EventType | None) -> None:
        present = status.value.replace("_", " ") if status else "not placed"
        refused = _PARTICIPLES.get(event, "placed again") if event else "anything: it has no events"
        super().__init__(f"An order that is {present} cannot be {refused}.")
        self.status = status
        self.event = event


def next_status(status: OrderStatus | None, event: EventType) -> OrderStatus:
    """Return the status after an event.

    Args:
        status: the order's status; ``None`` before the order exists.
        event: the event's type.

    Raises:
        IllegalTransition: the status does not allow the event.
    """
    new_status = TRANSITIONS.get((status, event))
    if new_status is None:
        raise IllegalTransition(status, event)
    return new_status


def owes_refund(status: OrderStatus, events: Iterable[EventType]) -> bool:
    """Tell whether a refund is due: the order is cancelled after a charge, and neither refunded nor closed by staff."""
    event_types = set(events)
    return (
        status is OrderStatus.CANCELLED
        and EventType.PAYMENT_CHARGED in event_types
        and EventType.REFUND_CLOSED not in event_types
    )
