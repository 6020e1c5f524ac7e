"""The timeline of an order: its events in words for the customer. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypedDict

from shop.orders.transitions import EventType
from shop.patterns.event_sourcing import StoredEvent

TITLES: Mapping[EventType, str] = MappingProxyType(
    {
        EventType.ORDER_PLACED: "Order placed",
        EventType.PAYMENT_CHARGED: "Payment received",
        EventType.PAYMENT_DECLINED: "Payment declined",
        EventType.ORDER_SHIPPED: "Shipped",
        EventType.ORDER_DELIVERED: "Delivered",
        EventType.ORDER_CANCELLED: "Cancelled",
        EventType.PAYMENT_REFUNDED: "Refunded",
        EventType.REFUND_CLOSED: "Refund settled",
        EventType.ORDER_ADOPTED: "Taken into your account",
    }
)
DETAILS: Mapping[EventType, str] = MappingProxyType(
    {
        EventType.ORDER_PLACED: "The items are reserved for you.",
        EventType.PAYMENT_CHARGED: "We are packing your parcel.",
        EventType.PAYMENT_DECLINED: "Nothing was charged.",
        EventType.ORDER_SHIPPED: "Your parcel is on its way.",
        EventType.PAYMENT_REFUNDED: "It can take your bank a few days to show it.",
        EventType.REFUND_CLOSED: "The payments provider could not refund it. The shop has settled it in another way.",
    }
)


class TimelineEntry(TypedDict):
    """One entry of the timeline."""

    type: str
    title: str
    detail: str
    recorded_at: datetime


def build_timeline(events: Sequence[StoredEvent], *, to_staff: bool = False) -> list[TimelineEntry]:
    """Return one entry per event.

    Args:
        events: oldest first.
        to_staff: whether staff sees the timeline; reasons written by staff are shown to staff only.
    """
    return [
        {
            "type": event_type.value,
            "title": TITLES[event_type],
            "detail": str((event.data.get("reason") if to_staff else None) or DETAILS.get(event_type, "")),
            "recorded_at": event.recorded_at,
        }
        for event in events
        for event_type in [EventType(event.type)]
    ]
