"""What may happen to an order, and what it is afterwards. Pure: no clock, no database.

An order's status is never set; it follows from its events. That makes the status a fold over the stream, and an
illegal step a question this table answers no to.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from shop.errors import StateConflict


class OrderStatus(StrEnum):
    """Where an order stands."""

    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class EventType(StrEnum):
    """What can happen to it."""

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
        # a charge whose answer was lost can turn out to have worked after the order was given up
        (OrderStatus.CANCELLED, EventType.PAYMENT_CHARGED): OrderStatus.CANCELLED,
        (OrderStatus.CANCELLED, EventType.PAYMENT_REFUNDED): OrderStatus.REFUNDED,
        (OrderStatus.CANCELLED, EventType.REFUND_CLOSED): OrderStatus.CANCELLED,
        **{(status, EventType.ORDER_ADOPTED): status for status in OrderStatus},
    }
)

_SAID: Mapping[EventType, str] = MappingProxyType(
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
    """That cannot happen to an order that stands there.

    Args:
        status: where it stands; ``None`` before it exists.
        event: what was to happen; ``None`` where nothing ever did.
    """

    problem = "illegal-transition"

    def __init__(self, status: OrderStatus | None, event: EventType | None) -> None:
        stands = status.value.replace("_", " ") if status else "not placed"
        cannot = _SAID.get(event, "placed again") if event else "anything: it has no events"
        super().__init__(f"An order that is {stands} cannot be {cannot}.")
        self.status = status
        self.event = event


def after(status: OrderStatus | None, event: EventType) -> OrderStatus:
    """Return the status an event leads to.

    Args:
        status: where the order stands; ``None`` before it exists.
        event: what happens.

    Raises:
        IllegalTransition: that cannot happen to an order that stands there.
    """
    following = TRANSITIONS.get((status, event))
    if following is None:
        raise IllegalTransition(status, event)
    return following


def owes_refund(status: OrderStatus, events: Iterable[EventType]) -> bool:
    """Tell whether money was taken for an order that was then cancelled, and is neither back nor settled by staff."""
    happened = set(events)
    return (
        status is OrderStatus.CANCELLED
        and EventType.PAYMENT_CHARGED in happened
        and EventType.REFUND_CLOSED not in happened
    )
