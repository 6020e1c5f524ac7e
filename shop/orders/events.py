"""The events of an order, with their serialization.

Events have no personal data: a stream cannot be changed, and a person may ask to be forgotten. Only the order's row has
the e-mail address and the postal address; an event has the account's number.
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
    """The provider was not available, and nothing was charged."""
    UNPAID = "not_paid_in_time"
    SUPERSEDED = "superseded"
    """The same cart was checked out again."""
    ABANDONED = "abandoned"
    """The payment stayed open, and nothing was charged."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OrderedLine:
    """One product of an order, with its title and price at the time of the order."""

    product_id: int
    title: str
    quantity: int
    unit_price: Money

    @property
    def total(self) -> Money:
        """Return the price of the line."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """The first event of every stream: the data of a new order, without contact details."""

    event_type: ClassVar[EventType] = EventType.ORDER_PLACED

    public_id: str
    number: str
    user_id: int | None
    lines: tuple[OrderedLine, ...]

    @property
    def total(self) -> Money:
        """Return the sum of all lines."""
        return Money(sum(line.unit_price.amount * line.quantity for line in self.lines))


@dataclass(frozen=True, slots=True)
class PaymentCharged:
    """The provider has charged the card; possible also after the order was cancelled."""

    event_type: ClassVar[EventType] = EventType.PAYMENT_CHARGED

    provider_id: str


@dataclass(frozen=True, slots=True)
class PaymentDeclined:
    """The provider has declined the charge, with its reason."""

    event_type: ClassVar[EventType] = EventType.PAYMENT_DECLINED

    reason: str


@dataclass(frozen=True, slots=True)
class OrderShipped:
    """The parcel has left."""

    event_type: ClassVar[EventType] = EventType.ORDER_SHIPPED


@dataclass(frozen=True, slots=True)
class OrderDelivered:
    """The parcel has arrived."""

    event_type: ClassVar[EventType] = EventType.ORDER_DELIVERED


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The order is cancelled, and its stock is available again."""

    event_type: ClassVar[EventType] = EventType.ORDER_CANCELLED

    cause: CancellationCause


@dataclass(frozen=True, slots=True)
class PaymentRefunded:
    """The provider has refunded the charge."""

    event_type: ClassVar[EventType] = EventType.PAYMENT_REFUNDED


@dataclass(frozen=True, slots=True)
class RefundClosed:
    """Staff has settled a refund with the customer in another way, because the provider does not make it.

    Args:
        closed_by: the account of the member of staff.
        reason: how it was settled; only staff sees it. It must name no person, because an event stays for good.
    """

    event_type: ClassVar[EventType] = EventType.REFUND_CLOSED

    closed_by: int
    reason: str


@dataclass(frozen=True, slots=True)
class OrderAdopted:
    """A guest signed in, and the guest's order moved into the account."""

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
        EventType.ORDER_PLACED: 2,  # 1 had only the total; migration 0004 added the lines from the rows
        EventType.PAYMENT_CHARGED: 1,
        EventType.PAYMENT_DECLINED: 1,
        EventType.ORDER_SHIPPED: 1,
        EventType.ORDER_DELIVERED: 1,
        EventType.ORDER_CANCELLED: 2,  # 1 had a sentence instead of a cause
        EventType.PAYMENT_REFUNDED: 1,
        EventType.REFUND_CLOSED: 1,
        EventType.ORDER_ADOPTED: 1,
    }
)
"""The current schema version of each event type."""
V1_CANCELLATION_CAUSES: Mapping[str, CancellationCause] = MappingProxyType(
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
"""Every sentence that version 1 of ``OrderCancelled`` had, with its cause."""


def upcast_cancelled_v1(data: Data) -> Data:
    """Upcast ``OrderCancelled`` from version 1, whose cause was a sentence or missing, to version 2."""
    return {"cause": V1_CANCELLATION_CAUSES.get(data.get("reason", ""), CancellationCause.UNKNOWN).value}


UPCASTERS = EventUpcasters(SCHEMA_VERSIONS, {(EventType.ORDER_CANCELLED, 1): upcast_cancelled_v1})


def serialize(event: OrderEvent) -> NewEvent:
    """Return an event in its current schema version, to be appended to a stream."""
    data: dict[str, Any] = {}
    match event:
        case OrderPlaced(public_id, number, user_id, lines):
            data = {
                "public_id": public_id,
                "number": number,
                "user_id": user_id,
                "total": event.total.to_json(),
                "lines": [
                    {
                        "product_id": line.product_id,
                        "title": line.title,
                        "quantity": line.quantity,
                        "unit_price": line.unit_price.amount,
                    }
                    for line in lines
                ],
            }
        case PaymentCharged(provider_id):
            data = {"provider_id": provider_id}
        case PaymentDeclined(reason):
            data = {"reason": reason}
        case OrderCancelled(cause):
            data = {"cause": cause.value}
        case RefundClosed(closed_by, reason):
            data = {"closed_by": closed_by, "reason": reason}
        case OrderAdopted(user_id):
            data = {"user_id": user_id}
        case OrderShipped() | OrderDelivered() | PaymentRefunded():
            pass
    return NewEvent(event.event_type.value, SCHEMA_VERSIONS[event.event_type], data)


def deserialize(stored: StoredEvent) -> OrderEvent:
    """Return a stored event of any schema version as an object.

    Raises:
        UnknownEventVersion: its version cannot be upcast to the current one.
    """
    data = UPCASTERS.upcast(stored.type, stored.schema_version, stored.data)
    match EventType(stored.type):
        case EventType.ORDER_PLACED:
            lines = tuple(
                OrderedLine(line["product_id"], line["title"], line["quantity"], Money(line["unit_price"]))
                for line in data["lines"]
            )
            return OrderPlaced(data["public_id"], data["number"], data["user_id"], lines)
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
