"""Rows to load, with their values in the order of the columns."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shop.charge_keys import dataset_charge_key
from shop.money import Money
from shop.orders.events import OrderedLine, OrderEvent, OrderPlaced, serialize

Row = tuple[Any, ...]
Event = tuple[OrderEvent, datetime]
"""An event of an order, and its time."""
Line = tuple[int, str, int, int]
"""Product id, title, quantity, and unit price in cents."""

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
    """The rows of a batch of orders; one transaction loads them."""

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
        """Add one order: its placement, and the events after it.

        Its total is the sum of its lines; ``payment`` is a status and the provider's id.
        """
        ordered_lines = (
            OrderedLine(product_id, title, pieces, Money(price)) for product_id, title, pieces, price in lines
        )
        placed = OrderPlaced(public_id, number, user_id, tuple(ordered_lines))
        version = 0
        for version, (event, recorded_at) in enumerate([(placed, placed_at), *events], start=1):
            stored = serialize(event)
            data = json.dumps(stored.data) if stored.data else "{}"
            self.order_events.append((order_id, version, stored.type, stored.schema_version, data, recorded_at))
        total = sum(quantity * price for _, _, quantity, price in lines)
        pieces = sum(quantity for _, _, quantity, _ in lines)
        changed_at = events[-1][1]
        address_json = json.dumps(address)
        self.orders.append(
            (order_id, public_id, number, user_id, email, status, version, total, address_json, placed_at, changed_at)
        )  # fmt: skip
        self.order_lines += [(order_id, position, *line) for position, line in enumerate(lines, start=1)]
        # A fold of the events gives the same row (`bin/shop orders verify` checks it), but would double loading time.
        self.order_summaries.append(
            (order_id, version, public_id, number, user_id, status, False, pieces, total, "EUR", placed_at, changed_at)
        )
        payment_status, provider_id = payment
        self.payments.append(
            (order_id, dataset_charge_key(order_id), provider_id, total, payment_status, placed_at, changed_at)
        )  # fmt: skip

    def tables(self) -> Iterable[tuple[str, list[Row]]]:
        """Return each table with its rows, referenced tables first."""
        return (
            ("orders", self.orders),
            ("order_lines", self.order_lines),
            ("order_events", self.order_events),
            ("order_summaries", self.order_summaries),
            ("payments", self.payments),
        )
