"""Reads the actual state after the run: the store's rows and the provider's charges, without the store's own code."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from shop.reconciliation import provider
from shop.settings import Settings

ORDERS = """
SELECT o.email, o.public_id, o.number, o.status, o.total_amount, extract(epoch FROM now() - o.created_at)::float8,
    (SELECT json_object_agg(slug, quantity) FROM order_lines JOIN products ON products.id = product_id
     WHERE order_id = o.id)
FROM orders AS o WHERE o.email LIKE 'chaos-%@shop.test'
"""
STOCK = "SELECT slug, on_hand, reserved FROM stock_items JOIN products ON products.id = product_id"


@dataclass(frozen=True, slots=True)
class ActualOrder:
    """One order as its row says; amounts in minor units."""

    public_id: str
    status: str
    total: int
    lines: Mapping[str, int]
    kept: tuple[int, ...]
    """For each charge of the order, the amount that the provider has kept."""
    age_s: float
    """Seconds since the order was placed."""


@dataclass(frozen=True, slots=True)
class ActualState:
    """The orders and the stock at the end of the run."""

    orders: Mapping[str, Sequence[ActualOrder]]
    """By e-mail address."""
    stock: Mapping[str, tuple[int, int]]
    """For each slug, the pieces on hand and the reserved pieces."""


def read_state(settings: Settings) -> ActualState:
    """Read the store's database and the provider's charges.

    Raises:
        ConfigurationError: the provider does not answer.
    """
    kept = defaultdict(list)
    for charge in provider.fetch_charges(str(settings.payments_url), settings.payments_api_key):
        if charge.net_amount:
            kept[charge.order].append(charge.net_amount)
    orders = defaultdict(list)
    with psycopg.connect(str(settings.database_url)) as connection:
        for email, public_id, number, status, total, age_s, lines in connection.execute(ORDERS):
            orders[email].append(ActualOrder(public_id, status, total, lines, tuple(kept.get(number, ())), age_s))
        stock = {slug: (on_hand, reserved) for slug, on_hand, reserved in connection.execute(STOCK)}
    return ActualState(orders, stock)
