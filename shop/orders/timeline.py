"""What happened to an order, in words for the person who placed it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypedDict

from shop.orders.queries import OrderHistoryEntry
from shop.orders.transitions import EventType

TITLES: Mapping[EventType, str] = MappingProxyType(
    {
        EventType.ORDER_PLACED: "Order placed",
        EventType.PAYMENT_CHARGED: "Payment received",
        EventType.PAYMENT_DECLINED: "Payment declined",
        EventType.ORDER_SHIPPED: "Shipped",
        EventType.ORDER_DELIVERED: "Delivered",
        EventType.ORDER_CANCELLED: "Cancelled",
        EventType.PAYMENT_REFUNDED: "Money given back",
        EventType.REFUND_CLOSED: "Refund settled",
        EventType.ORDER_ADOPTED: "Taken into your account",
    }
)
DETAILS: Mapping[EventType, str] = MappingProxyType(
    {
        EventType.ORDER_PLACED: "The items are set aside for you.",
        EventType.PAYMENT_CHARGED: "We are packing your parcel.",
        EventType.PAYMENT_DECLINED: "Nothing was charged.",
        EventType.ORDER_SHIPPED: "Your parcel is on its way.",
        EventType.PAYMENT_REFUNDED: "It can take your bank a few days to show it.",
        EventType.REFUND_CLOSED: "It could not go back the way it came, so the shop has settled it another way.",
    }
)


class TimelineEntry(TypedDict):
    """One entry of the timeline."""

    type: str
    title: str
    detail: str
    recorded_at: datetime


def build_timeline(events: tuple[OrderHistoryEntry, ...], *, to_staff: bool = False) -> list[TimelineEntry]:
    """Return the events as the timeline shows them.

    Args:
        events: oldest first.
        to_staff: whether what staff wrote for staff is shown.
    """
    return [
        {
            "type": event.type.value,
            "title": TITLES[event.type],
            "detail": str((event.data.get("reason") if to_staff else None) or DETAILS.get(event.type, "")),
            "recorded_at": event.recorded_at,
        }
        for event in events
    ]
