"""What can happen to an order, each with what it says, and how it is written down.

Who somebody is and where she lives is not among it: a stream cannot be changed, and a person may ask to be forgotten.
The e-mail address and the postal address stand in the order's row alone; here is the account's number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

from shop.money import Money
from shop.orders.transitions import EventType
from shop.patterns.event_sourcing import Data, EventUpcasters, NewEvent, StoredEvent


class CancellationCause(StrEnum):
    """Why an order was cancelled."""

    CUSTOMER = "customer"
    STAFF = "staff"
    DECLINED = "declined"
    NOT_POSSIBLE = "payment_not_possible"
    """The provider was away, and nothing was charged."""
    UNPAID = "not_paid_in_time"
    SUPERSEDED = "superseded"
    """The same cart was checked out again."""
    ABANDONED = "abandoned"
    """Nobody came back for it, and nothing was charged."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OrderedLine:
    """One product of an order, with its title and price as they were when it was bought."""

    product_id: int
    title: str
    quantity: int
    unit_price: Money

    @property
    def total(self) -> Money:
        """Return what the line cost."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """The first event of every stream: all an order starts with, but for contact details."""

    event_type: ClassVar[EventType] = EventType.ORDER_PLACED

    public_id: str
    number: str
    user_id: int | None
    lines: tuple[OrderedLine, ...]

    @property
    def total(self) -> Money:
        """Return what all lines come to."""
        return Money(sum(line.unit_price.amount * line.quantity for line in self.lines))


@dataclass(frozen=True, slots=True)
class PaymentCharged:
    """The provider has taken the money; also after the order was given up."""

    event_type: ClassVar[EventType] = EventType.PAYMENT_CHARGED

    provider_id: str


@dataclass(frozen=True, slots=True)
class PaymentDeclined:
    """The provider has refused, in its own words."""

    event_type: ClassVar[EventType] = EventType.PAYMENT_DECLINED

    reason: str


@dataclass(frozen=True, slots=True)
class OrderShipped:
    """It has left."""

    event_type: ClassVar[EventType] = EventType.ORDER_SHIPPED


@dataclass(frozen=True, slots=True)
class OrderDelivered:
    """It has arrived."""

    event_type: ClassVar[EventType] = EventType.ORDER_DELIVERED


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """It will not be sent; its pieces are for others again."""

    event_type: ClassVar[EventType] = EventType.ORDER_CANCELLED

    cause: CancellationCause


@dataclass(frozen=True, slots=True)
class PaymentRefunded:
    """The money is back."""

    event_type: ClassVar[EventType] = EventType.PAYMENT_REFUNDED


@dataclass(frozen=True, slots=True)
class RefundClosed:
    """The provider does not give the money back, and staff has settled it with the customer in another way.

    Args:
        closed_by: the account of the member of staff.
        reason: how it was settled; shown to staff alone. It must name nobody, since it stays for good.
    """

    event_type: ClassVar[EventType] = EventType.REFUND_CLOSED

    closed_by: int
    reason: str


@dataclass(frozen=True, slots=True)
class OrderAdopted:
    """A guest signed in, and what she had placed became her account's."""

    event_type: ClassVar[EventType] = EventType.ORDER_ADOPTED

    user_id: int


OrderEvent = (
    OrderPlaced
    | PaymentCharged
    | PaymentDeclined
    | OrderShipped
    | OrderDelivered
    | OrderCancelled
    | PaymentRefunded
    | RefundClosed
    | OrderAdopted
)

SCHEMA_VERSIONS: Mapping[str, int] = MappingProxyType(
    {
        EventType.ORDER_PLACED: 2,  # 1 had the total alone; migration 0004 gave the old ones what their rows knew
        EventType.PAYMENT_CHARGED: 1,
        EventType.PAYMENT_DECLINED: 1,
        EventType.ORDER_SHIPPED: 1,
        EventType.ORDER_DELIVERED: 1,
        EventType.ORDER_CANCELLED: 2,  # 1 had a sentence for people
        EventType.PAYMENT_REFUNDED: 1,
        EventType.REFUND_CLOSED: 1,
        EventType.ORDER_ADOPTED: 1,
    }
)
"""The shape of each event's data as it is written today."""
SENTENCES: Mapping[str, CancellationCause] = MappingProxyType(
    {
        "cancelled by the customer": CancellationCause.CUSTOMER,
        "cancelled by the store": CancellationCause.STAFF,
        "payment declined": CancellationCause.DECLINED,
        "payment not possible": CancellationCause.NOT_POSSIBLE,
        "not paid in time": CancellationCause.UNPAID,
        "never paid": CancellationCause.ABANDONED,
        "never paid; the cart was checked out again": CancellationCause.SUPERSEDED,
    }
)
"""What version 1 of ``OrderCancelled`` said, word for word."""


def cause_of_sentence(data: Data) -> Data:
    """Lift ``OrderCancelled`` from version 1, where the cause was a sentence or missing, to version 2."""
    return {"cause": SENTENCES.get(data.get("reason", ""), CancellationCause.UNKNOWN).value}


UPCASTERS = EventUpcasters(SCHEMA_VERSIONS, {(EventType.ORDER_CANCELLED, 1): cause_of_sentence})


def serialize(event: OrderEvent) -> NewEvent:
    """Return an event as it is appended, in the shape of today."""
    return NewEvent(event.event_type.value, SCHEMA_VERSIONS[event.event_type], _data(event))


def deserialize(stored: StoredEvent) -> OrderEvent:
    """Return what a stored event says, whatever version it was written in.

    Raises:
        UnknownEventVersion: no way leads from its version to today's.
    """
    data = UPCASTERS.upcast(stored.type, stored.schema_version, stored.data)
    match EventType(stored.type):
        case EventType.ORDER_PLACED:
            return OrderPlaced(data["public_id"], data["number"], data["user_id"], tuple(map(_line, data["lines"])))
        case EventType.PAYMENT_CHARGED:
            return PaymentCharged(data.get("provider_id", ""))
        case EventType.PAYMENT_DECLINED:
            return PaymentDeclined(data.get("reason", ""))
        case EventType.ORDER_SHIPPED:
            return OrderShipped()
        case EventType.ORDER_DELIVERED:
            return OrderDelivered()
        case EventType.ORDER_CANCELLED:
            return OrderCancelled(CancellationCause(data["cause"]))
        case EventType.PAYMENT_REFUNDED:
            return PaymentRefunded()
        case EventType.REFUND_CLOSED:
            return RefundClosed(data["closed_by"], data["reason"])
        case EventType.ORDER_ADOPTED:
            return OrderAdopted(data["user_id"])


def _data(event: OrderEvent) -> dict[str, Any]:
    match event:
        case OrderPlaced(public_id, number, user_id, lines):
            named = {"public_id": public_id, "number": number, "user_id": user_id}
            return {**named, "total": event.total.to_json(), "lines": [_line_data(line) for line in lines]}
        case PaymentCharged(provider_id):
            return {"provider_id": provider_id}
        case PaymentDeclined(reason):
            return {"reason": reason}
        case OrderCancelled(cause):
            return {"cause": cause.value}
        case RefundClosed(closed_by, reason):
            return {"closed_by": closed_by, "reason": reason}
        case OrderAdopted(user_id):
            return {"user_id": user_id}
        case OrderShipped() | OrderDelivered() | PaymentRefunded():
            return {}


def _line_data(line: OrderedLine) -> dict[str, Any]:
    price = line.unit_price
    return {"product_id": line.product_id, "title": line.title, "quantity": line.quantity, "unit_price": price.amount}


def _line(data: Data) -> OrderedLine:
    return OrderedLine(data["product_id"], data["title"], data["quantity"], Money(data["unit_price"]))
