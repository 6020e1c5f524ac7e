"""The store's side: one snapshot of its database, read with SQL that shares nothing with the store's own.

Each statement asks for what is *not* as it should be, and PostgreSQL does the adding up. The first principles are the
events of the orders, and ``stock_items.received``: what was ever put on a shelf.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from shop.database.engine import connection_parameters
from shop.errors import ConfigurationError

Connection = psycopg.Connection[tuple[Any, ...]]

ORDERS = """
SELECT o.id, o.public_id, o.number, o.status, o.version, o.total_amount, o.created_at,
    coalesce(told.story, ''), coalesce(told.versions, 0), coalesce(told.last, 0),
    (first.data #>> '{total,amount}')::bigint,
    p.status, p.amount, p.charge_key, p.provider_id, p.updated_at, p.attempts, p.last_error, now() - o.created_at
FROM orders AS o
LEFT JOIN (
    SELECT order_id, string_agg(type, ' ' ORDER BY version) AS story, count(*) AS versions, max(version) AS last
    FROM order_events GROUP BY order_id
) AS told ON told.order_id = o.id
LEFT JOIN order_events AS first ON first.order_id = o.id AND first.version = 1
LEFT JOIN payments AS p ON p.order_id = o.id
"""
LINES = """
SELECT o.public_id, coalesce(bought.total, 0), o.total_amount, bought.lines IS NOT DISTINCT FROM first.data -> 'lines'
FROM orders AS o
LEFT JOIN (
    SELECT order_id, sum(quantity::bigint * unit_price_amount) AS total, jsonb_agg(jsonb_build_object(
        'product_id', product_id, 'title', title, 'quantity', quantity, 'unit_price', unit_price_amount
    ) ORDER BY position) AS lines
    FROM order_lines GROUP BY order_id
) AS bought ON bought.order_id = o.id
LEFT JOIN order_events AS first ON first.order_id = o.id AND first.version = 1
WHERE coalesce(bought.total, 0) <> o.total_amount OR bought.lines IS DISTINCT FROM first.data -> 'lines'
"""
SUMMARIES = """
SELECT coalesce(o.public_id, s.public_id), s.order_id IS NOT NULL, o.id IS NOT NULL
FROM orders AS o
FULL JOIN order_summaries AS s ON s.order_id = o.id
WHERE (s.order_id IS NULL OR o.id IS NULL OR s.status <> o.status OR s.version <> o.version
    OR s.total_amount <> o.total_amount OR s.number <> o.number OR s.user_id IS DISTINCT FROM o.user_id)
    AND NOT EXISTS (
        SELECT FROM orders_to_project AS q WHERE q.order_id = o.id AND q.queued_at > now() - %(under_way)s
    )
"""
STOCK = """
WITH ends AS (
    SELECT order_id, bool_or(type = 'PaymentCharged') AS charged, bool_or(type = 'OrderCancelled') AS cancelled
    FROM order_events GROUP BY order_id
), pieces AS (
    SELECT (line ->> 'product_id')::bigint AS product_id,
        coalesce(sum((line ->> 'quantity')::bigint) FILTER (WHERE charged AND NOT cancelled), 0) AS sold,
        coalesce(sum((line ->> 'quantity')::bigint) FILTER (WHERE NOT charged AND NOT cancelled), 0) AS promised
    FROM ends
    JOIN order_events AS first ON first.order_id = ends.order_id AND first.version = 1
    CROSS JOIN jsonb_array_elements(first.data -> 'lines') AS line
    GROUP BY 1
)
SELECT products.slug, coalesce(s.on_hand, 0), coalesce(s.reserved, 0), coalesce(s.received, 0),
    coalesce(pieces.sold, 0), coalesce(pieces.promised, 0)
FROM products
LEFT JOIN stock_items AS s ON s.product_id = products.id
LEFT JOIN pieces ON pieces.product_id = products.id
WHERE coalesce(s.on_hand, 0) <> coalesce(s.received, 0) - coalesce(pieces.sold, 0)
    OR coalesce(s.reserved, 0) <> coalesce(pieces.promised, 0)
"""
DOUBLES = """
SELECT string_agg(o.public_id, ' ' ORDER BY o.id)
FROM orders AS o
JOIN order_events AS first ON first.order_id = o.id AND first.version = 1
JOIN (
    SELECT order_id FROM order_events GROUP BY order_id
    HAVING bool_or(type = 'PaymentCharged') AND NOT bool_or(type = 'OrderCancelled')
) AS sold ON sold.order_id = o.id
WHERE o.checkout_owner IS NOT NULL AND o.checkout_key IS NULL
GROUP BY o.checkout_owner, o.checkout_fingerprint, first.data -> 'lines'
HAVING count(*) > 1
"""
"""Only where keys are ignored is there an order with an owner and without a key that was not cancelled."""
CART_LINES = """
SELECT DISTINCT string_agg(o.public_id, ' ' ORDER BY o.id)
FROM order_lines AS bought
JOIN orders AS o ON o.id = bought.order_id
JOIN (
    SELECT order_id FROM order_events GROUP BY order_id
    HAVING bool_or(type = 'PaymentCharged') AND NOT bool_or(type = 'OrderCancelled')
) AS sold ON sold.order_id = o.id
WHERE bought.cart_line_id IS NOT NULL AND o.checkout_key IS NOT NULL
GROUP BY bought.cart_line_id
HAVING count(*) > 1
"""
"""A line has its name until it is bought, whoever's cart it comes into. Orders without a key are among DOUBLES."""
MESSAGES = """
SELECT 'message_waiting', message_id::text, topic || ' of ' || aggregate_id FROM outbox
WHERE created_at < now() - %(under_way)s
UNION ALL
SELECT 'message_dead', message_id::text, topic || ' of ' || aggregate_id || ': ' || error FROM dead_letters
UNION ALL
SELECT 'mail_missing', o.public_id, 'paid at ' || e.recorded_at || ', and no confirmation in the mailbox'
FROM order_events AS e
JOIN orders AS o ON o.id = e.order_id
WHERE e.type = 'PaymentCharged' AND e.recorded_at > (SELECT min(created_at) FROM mails)
    AND e.recorded_at < now() - %(under_way)s
    AND (SELECT type FROM order_events AS b WHERE b.order_id = o.id AND b.version < e.version
         ORDER BY b.version DESC LIMIT 1) <> 'OrderCancelled'
    AND o.email <> ''
    AND NOT EXISTS (SELECT FROM mails WHERE message_id = '<confirmation.' || o.public_id || '@shop>')
    AND NOT EXISTS (SELECT FROM outbox WHERE aggregate_id = o.public_id)
    AND NOT EXISTS (SELECT FROM dead_letters AS d WHERE d.aggregate_id = o.public_id)
"""
"""Mail is compared from the first letter in the mailbox on: a store with a mail server keeps none, and says nothing. An
order without an address is a person's who was forgotten, and so is her mail."""


CONFLICTS = """
SELECT w.provider_id, o.public_id, w.says
FROM webhook_conflicts AS w
JOIN payments AS p ON p.charge_key = w.charge_key
JOIN orders AS o ON o.id = p.order_id
"""


@dataclass(frozen=True, slots=True)
class AuditedOrder:
    """One order: its row, its story, and our copy of its payment."""

    id: int
    public_id: str
    number: str
    status: str
    version: int
    total: int
    created_at: datetime
    story: str
    """The types of its events, oldest first, with blanks between."""
    versions: int
    last_version: int
    told_total: int | None
    payment: str | None
    amount: int | None
    charge_key: str | None
    provider_id: str | None
    payment_changed_at: datetime | None
    attempts: int | None
    """How often what its payment stands for was tried in vain, such as a refund."""
    last_error: str | None
    age: Any


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """What the store's database said at one moment."""

    at: datetime
    products: int
    orders: Sequence[AuditedOrder]
    lines: Sequence[tuple[Any, ...]]
    summaries: Sequence[tuple[Any, ...]]
    stock: Sequence[tuple[Any, ...]]
    doubles: Sequence[tuple[Any, ...]]
    cart_lines: Sequence[tuple[Any, ...]]
    messages: Sequence[tuple[Any, ...]]
    conflicts: Sequence[tuple[Any, ...]]
    settled: frozenset[str]
    """The provider's ids of charges that somebody has decided on."""
    restored_at: datetime | None
    """When a backup was put back the last time."""


def snapshot(database_url: str, under_way_s: float) -> StoreSnapshot:
    """Read everything, as it stood at one moment.

    Args:
        database_url: the store's database.
        under_way_s: seconds for which what is unfinished is nobody's fault.

    Raises:
        ConfigurationError: it does not answer, or is not a store's database of this version.
    """
    given = {"under_way": f"{under_way_s} seconds"}
    try:
        with _reading(database_url) as connection:

            def rows(statement: str) -> list[tuple[Any, ...]]:
                return connection.execute(
                    statement.replace("%(under_way)s", "%(under_way)s::interval"), given
                ).fetchall()

            ((at, products),) = rows("SELECT now(), count(*) FROM products")
            return StoreSnapshot(
                at,
                products,
                [AuditedOrder(*row) for row in rows(ORDERS)],
                rows(LINES),
                rows(SUMMARIES),
                rows(STOCK),
                [row for row in rows(DOUBLES) if row[0]],
                rows(CART_LINES),
                rows(MESSAGES),
                rows(CONFLICTS),
                frozenset(provider_id for (provider_id,) in rows("SELECT provider_id FROM settled_charges")),
                rows("SELECT max(restored_at) FROM restores")[0][0],
            )
    except psycopg.Error as error:
        raise ConfigurationError(
            f"The store's database cannot be read: {str(error).strip().splitlines()[0]}"
        ) from error


@contextmanager
def _reading(database_url: str) -> Iterator[Connection]:
    given = {**connection_parameters(database_url), "connect_timeout": 5, "application_name": "shop books"}
    with psycopg.connect(**given) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
