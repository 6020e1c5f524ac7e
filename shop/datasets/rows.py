"""Rows on their way into the database, in the order of its columns."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shop.charge_keys import dataset_charge_key
from shop.money import Money
from shop.orders import events as order_events
from shop.orders.events import OrderEvent, OrderPlaced, serialize

Row = tuple[Any, ...]
Event = tuple[OrderEvent, datetime]
"""Something that happened to an order, and when."""
Line = tuple[int, str, int, int]
"""Product id, title, pieces, and the price of one in cents."""

COLUMNS: Mapping[str, Sequence[str]] = {
    "categories": ("id", "slug", "name", "parent_id", "position", "picture"),
    "users": ("id", "email", "name", "password_hash", "role", "created_at", "updated_at"),
    "products": (
        "id", "slug", "category_id", "title", "brand", "description", "price_amount", "popularity", "rating_count",
        "rating_sum", "created_at", "updated_at",
    ),
    "stock_items": ("product_id", "on_hand", "received"),
    "reviews": ("id", "product_id", "user_id", "author", "rating", "body", "created_at"),
    "orders": (
        "id", "public_id", "number", "user_id", "email", "status", "version", "total_amount", "address",
        "created_at", "updated_at",
    ),
    "order_lines": ("order_id", "position", "product_id", "title", "quantity", "unit_price_amount"),
    "order_events": ("order_id", "version", "type", "schema_version", "data", "recorded_at"),
    "order_summaries": (
        "order_id", "version", "public_id", "number", "user_id", "status", "owes_refund", "pieces", "total_amount",
        "currency", "placed_at", "changed_at",
    ),
    "payments": ("order_id", "charge_key", "provider_id", "amount", "status", "created_at", "updated_at"),
}  # fmt: skip


@dataclass
class OrderRows:
    """The rows a batch of orders comes to; they go in together or not at all."""

    orders: list[Row] = field(default_factory=list)
    order_lines: list[Row] = field(default_factory=list)
    order_events: list[Row] = field(default_factory=list)
    order_summaries: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)

    def add(
        self,
        *,
        order_id: int,
        public_id: str,
        number: str,
        user_id: int,
        email: str,
        status: str,
        address: Mapping[str, str],
        placed_at: datetime,
        lines: Sequence[Line],
        events: Sequence[Event],
        payment: tuple[str, str | None],
    ) -> None:
        """Add one order: that it was placed, and what happened then.

        Its total is what its lines come to; ``payment`` is a status and the provider's id.
        """
        placed = OrderPlaced(public_id, number, user_id, tuple(_line(line) for line in lines))
        version = self._tell(order_id, [(placed, placed_at), *events])
        total = sum(quantity * price for _, _, quantity, price in lines)
        pieces = sum(quantity for _, _, quantity, _ in lines)
        changed_at = events[-1][1]
        where = json.dumps(address)
        self.orders.append(
            (order_id, public_id, number, user_id, email, status, version, total, where, placed_at, changed_at)
        )  # fmt: skip
        self.order_lines += [(order_id, place, *line) for place, line in enumerate(lines, start=1)]
        # folding the events would come to the same, as `shop orders verify` tells, and take as long as all the rest
        self.order_summaries.append(
            (order_id, version, public_id, number, user_id, status, False, pieces, total, "EUR", placed_at, changed_at)
        )
        settled, provider_id = payment
        self.payments.append(
            (order_id, dataset_charge_key(order_id), provider_id, total, settled, placed_at, changed_at)
        )  # fmt: skip

    def _tell(self, order_id: int, events: Sequence[Event]) -> int:
        for version, (event, at) in enumerate(events, start=1):
            happened = serialize(event)
            data = json.dumps(happened.data) if happened.data else "{}"
            self.order_events.append((order_id, version, happened.type, happened.schema_version, data, at))
        return len(events)

    def tables(self) -> Iterable[tuple[str, list[Row]]]:
        """Return each table with its rows, referenced tables first."""
        return (
            ("orders", self.orders),
            ("order_lines", self.order_lines),
            ("order_events", self.order_events),
            ("order_summaries", self.order_summaries),
            ("payments", self.payments),
        )


def _line(line: Line) -> order_events.OrderedLine:
    product_id, title, quantity, price = line
    return order_events.OrderedLine(product_id, title, quantity, Money(price))
