"""What became of the check-outs: the rows and the provider's list, read without any of the store's own code paths."""

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
class Order:
    """One order as its row says; amounts in minor units."""

    public_id: str
    status: str
    total: int
    lines: Mapping[str, int]
    kept: tuple[int, ...]
    """What the provider keeps of each charge made for it."""
    age_s: float
    """Since it was placed."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What there is in the end."""

    orders: Mapping[str, Sequence[Order]]
    """By e-mail address."""
    shelf: Mapping[str, tuple[int, int]]
    """Slug to pieces on hand and reserved."""


def read(settings: Settings) -> Truth:
    """Read both sides.

    Raises:
        ConfigurationError: the provider cannot be asked.
    """
    kept = defaultdict(list)
    for charge in provider.fetch_charges(str(settings.payments_url), settings.payments_api_key):
        if charge.net_amount:
            kept[charge.order].append(charge.net_amount)
    found = defaultdict(list)
    with psycopg.connect(str(settings.database_url)) as connection:
        for email, public_id, number, status, total, age_s, lines in connection.execute(ORDERS):
            found[email].append(Order(public_id, status, total, lines, tuple(kept.get(number, ())), age_s))
        shelf = {slug: (on_hand, reserved) for slug, on_hand, reserved in connection.execute(STOCK)}
    return Truth(found, shelf)
