"""Rows on their way into the database, in the order of its columns."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = tuple[Any, ...]
Event = tuple[str, Mapping[str, Any], datetime]
"""Type, data and time of something that happened to an order."""
Line = tuple[int, str, int, int]
"""Product id, title, pieces, and the price of one in cents."""

COLUMNS: Mapping[str, Sequence[str]] = {
    "categories": ("id", "slug", "name", "parent_id", "position", "picture"),
    "users": ("id", "email", "name", "password_hash", "role", "created_at", "updated_at"),
    "products": (
        "id", "slug", "category_id", "title", "brand", "description", "price_amount", "popularity", "rating_count",
        "rating_sum", "created_at", "updated_at",
    ),
    "stock_items": ("product_id", "on_hand"),
    "reviews": ("id", "product_id", "user_id", "author", "rating", "body", "created_at"),
    "orders": (
        "id", "public_id", "number", "user_id", "email", "status", "total_amount", "address", "created_at",
        "updated_at",
    ),
    "order_lines": ("order_id", "position", "product_id", "title", "quantity", "unit_price_amount"),
    "order_events": ("order_id", "version", "type", "data", "recorded_at"),
    "payments": ("order_id", "charge_key", "provider_id", "amount", "status", "created_at", "updated_at"),
}  # fmt: skip


@dataclass
class OrderRows:
    """The rows a batch of orders comes to; they go in together or not at all."""

    orders: list[Row] = field(default_factory=list)
    order_lines: list[Row] = field(default_factory=list)
    order_events: list[Row] = field(default_factory=list)
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
        """Add one order. Its total is what its lines come to; ``payment`` is a status and the provider's id."""
        total = sum(quantity * price for _, _, quantity, price in lines)
        changed_at = events[-1][2]
        where = json.dumps(address)
        self.orders.append(
            (order_id, public_id, number, user_id, email, status, total, where, placed_at, changed_at)
        )  # fmt: skip
        self.order_lines += [(order_id, place, *line) for place, line in enumerate(lines, start=1)]
        self.order_events += [
            (order_id, version, kind, json.dumps(data), at) for version, (kind, data, at) in enumerate(events, start=1)
        ]
        settled, provider_id = payment
        self.payments.append(
            (order_id, f"dataset-{order_id}", provider_id, total, settled, placed_at, changed_at)
        )  # fmt: skip

    def tables(self) -> Iterable[tuple[str, list[Row]]]:
        """Return each table with its rows, referenced tables first."""
        return (
            ("orders", self.orders),
            ("order_lines", self.order_lines),
            ("order_events", self.order_events),
            ("payments", self.payments),
        )
