"""The store's side: one snapshot of its database, read with SQL that shares nothing with the store's queries.

Most statements select only the rows that do not match; PostgreSQL computes the sums. The sources of truth are the
orders' events and ``stock_items.received``, the pieces ever received.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from shop.database.engine import connection_parameters
from shop.errors import ConfigurationError

FIRST_ORDER = """
SELECT coalesce(min(id), (SELECT coalesce(max(id), 0) + 1 FROM orders)) FROM orders
WHERE created_at > now() - %(placed_within)s
"""
LAST_CHARGE_BEFORE = """
SELECT provider_id FROM payments WHERE order_id < %(first)s AND provider_id IS NOT NULL ORDER BY order_id DESC LIMIT 1
"""
ORDERS = """
SELECT o.id, o.public_id, o.number, o.status, o.version, o.total_amount, o.created_at,
    coalesce(events.types, ''), coalesce(events.count, 0), coalesce(events.last, 0),
    (first.data #>> '{total,amount}')::bigint,
    p.status, p.amount, p.charge_key, p.provider_id, p.updated_at, p.attempts, p.last_error, now() - o.created_at
FROM orders AS o
LEFT JOIN (
    SELECT order_id, string_agg(type, ' ' ORDER BY version) AS types, count(*) AS count, max(version) AS last
    FROM order_events WHERE order_id >= %(first)s GROUP BY order_id
) AS events ON events.order_id = o.id
LEFT JOIN order_events AS first ON first.order_id = o.id AND first.version = 1
LEFT JOIN payments AS p ON p.order_id = o.id
WHERE o.id >= %(first)s
"""
LINES = """
SELECT o.public_id, coalesce(bought.total, 0), o.total_amount, bought.lines IS NOT DISTINCT FROM first.data -> 'lines'
FROM orders AS o
LEFT JOIN (
    SELECT order_id, sum(quantity::bigint * unit_price_amount) AS total, jsonb_agg(jsonb_build_object(
        'product_id', product_id, 'title', title, 'quantity', quantity, 'unit_price', unit_price_amount
    ) ORDER BY position) AS lines
    FROM order_lines WHERE order_id >= %(first)s GROUP BY order_id
) AS bought ON bought.order_id = o.id
LEFT JOIN order_events AS first ON first.order_id = o.id AND first.version = 1
WHERE o.id >= %(first)s
    AND (coalesce(bought.total, 0) <> o.total_amount OR bought.lines IS DISTINCT FROM first.data -> 'lines')
"""
SUMMARIES = """
SELECT coalesce(o.public_id, s.public_id), s.order_id IS NOT NULL, o.id IS NOT NULL
FROM orders AS o
FULL JOIN order_summaries AS s ON s.order_id = o.id
WHERE coalesce(o.id, s.order_id) >= %(first)s
    AND (s.order_id IS NULL OR o.id IS NULL OR s.status <> o.status OR s.version <> o.version
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
DUPLICATE_ORDERS = """
SELECT string_agg(o.public_id, ' ' ORDER BY o.id)
FROM orders AS o
JOIN order_events AS first ON first.order_id = o.id AND first.version = 1
JOIN (
    SELECT order_id FROM order_events WHERE order_id >= %(first)s GROUP BY order_id
    HAVING bool_or(type = 'PaymentCharged') AND NOT bool_or(type = 'OrderCancelled')
) AS sold ON sold.order_id = o.id
WHERE o.id >= %(first)s AND o.checkout_owner IS NOT NULL AND o.checkout_key IS NULL
GROUP BY o.checkout_owner, o.checkout_fingerprint, first.data -> 'lines'
HAVING count(*) > 1
"""
"""Only with keys switched off can an order with an owner have no key and not be cancelled."""
CARTS_PAID_TWICE = """
SELECT DISTINCT string_agg(o.public_id, ' ' ORDER BY o.id)
FROM order_lines AS bought
JOIN orders AS o ON o.id = bought.order_id
JOIN (
    SELECT order_id FROM order_events WHERE order_id >= %(first)s GROUP BY order_id
    HAVING bool_or(type = 'PaymentCharged') AND NOT bool_or(type = 'OrderCancelled')
) AS sold ON sold.order_id = o.id
WHERE bought.order_id >= %(first)s AND bought.cart_line_id IS NOT NULL AND o.checkout_key IS NOT NULL
GROUP BY bought.cart_line_id
HAVING count(*) > 1
"""
"""A cart line keeps its id until it is bought, also in a merged cart. DUPLICATE_ORDERS covers orders without a key."""
MESSAGES = """
SELECT 'message_waiting', message_id::text, topic || ' of ' || aggregate_id FROM outbox
WHERE created_at < now() - %(under_way)s
UNION ALL
SELECT 'message_dead', message_id::text, topic || ' of ' || aggregate_id || ': ' || error FROM dead_letters
UNION ALL
SELECT 'mail_missing', o.public_id, 'paid at ' || e.recorded_at || ', and no confirmation in the mailbox'
FROM order_events AS e
JOIN orders AS o ON o.id = e.order_id
WHERE e.order_id >= %(first)s AND e.type = 'PaymentCharged' AND e.recorded_at > (SELECT min(created_at) FROM mails)
    AND e.recorded_at < now() - %(under_way)s
    AND (SELECT type FROM order_events AS b WHERE b.order_id = o.id AND b.version < e.version
         ORDER BY b.version DESC LIMIT 1) <> 'OrderCancelled'
    AND o.email <> ''
    AND NOT EXISTS (SELECT FROM mails WHERE message_id = '<confirmation.' || o.public_id || '@shop>')
    AND NOT EXISTS (SELECT FROM outbox WHERE aggregate_id = o.public_id)
    AND NOT EXISTS (SELECT FROM dead_letters AS d WHERE d.aggregate_id = o.public_id)
"""
"""Orders are compared with mails from the oldest mail in the mailbox on; with a mail server the mailbox is empty. An
order without an email belongs to a person whose data were erased, mails included."""
WEBHOOK_CONFLICTS = """
SELECT w.provider_id, o.public_id, w.says
FROM webhook_conflicts AS w
JOIN payments AS p ON p.charge_key = w.charge_key
JOIN orders AS o ON o.id = p.order_id
"""


@dataclass(frozen=True, slots=True)
class AuditedOrder:
    """One order: its row, its events, and the store's copy of its payment."""

    id: int
    public_id: str
    number: str
    status: str
    version: int
    total: int
    created_at: datetime
    event_types: str
    """The types of its events, oldest first, separated by blanks."""
    event_count: int
    last_version: int
    placed_total: int | None
    payment: str | None
    amount: int | None
    charge_key: str | None
    provider_id: str | None
    payment_changed_at: datetime | None
    attempts: int | None
    """Failed attempts of the payment's next step, such as a refund."""
    last_error: str | None
    age: Any


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """The store's database at one moment. The rows of lines, summaries and stock are only those that do not match."""

    read_at: datetime
    products: int
    orders: Sequence[AuditedOrder]
    lines: Sequence[tuple[Any, ...]]
    summaries: Sequence[tuple[Any, ...]]
    stock: Sequence[tuple[Any, ...]]
    duplicate_orders: Sequence[tuple[Any, ...]]
    carts_paid_twice: Sequence[tuple[Any, ...]]
    messages: Sequence[tuple[Any, ...]]
    webhook_conflicts: Sequence[tuple[Any, ...]]
    settled_charges: frozenset[str]
    """The provider's ids of the charges that staff settled."""
    restored_at: datetime | None
    """The time of the last restore of a backup."""
    placed_since: datetime | None
    """Orders that were placed before are left out; ``None`` if all orders are read."""
    charges_after: str
    """The provider's id of a charge of an order that is left out; empty if there is none."""


def read_snapshot(database_url: str, under_way_s: float, placed_within_s: float | None = None) -> StoreSnapshot:
    """Read the database in one read-only transaction with isolation REPEATABLE READ.

    Args:
        database_url: the store's database.
        under_way_s: seconds for which an unfinished process is no mismatch.
        placed_within_s: read only the orders of the last so many seconds, and all stock; ``None``: all orders.

    Raises:
        ConfigurationError: the database does not answer, or its schema is not of this version.
    """
    parameters = {**connection_parameters(database_url), "connect_timeout": 5, "application_name": "shop books"}
    values = {"under_way": f"{under_way_s} seconds", "placed_within": f"{placed_within_s or 0} seconds", "first": 0}
    try:
        with psycopg.connect(**parameters) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True

            def rows(statement: str) -> list[tuple[Any, ...]]:
                for name in ("under_way", "placed_within"):
                    statement = statement.replace(f"%({name})s", f"%({name})s::interval")
                return connection.execute(statement, values).fetchall()

            ((at, products),) = rows("SELECT now(), count(*) FROM products")
            if placed_within_s is not None:
                values["first"] = rows(FIRST_ORDER)[0][0]
            charges_after = rows(LAST_CHARGE_BEFORE) if placed_within_s is not None else []
            return StoreSnapshot(
                at,
                products,
                [AuditedOrder(*row) for row in rows(ORDERS)],
                rows(LINES),
                rows(SUMMARIES),
                rows(STOCK),
                [row for row in rows(DUPLICATE_ORDERS) if row[0]],
                rows(CARTS_PAID_TWICE),
                rows(MESSAGES),
                rows(WEBHOOK_CONFLICTS),
                frozenset(provider_id for (provider_id,) in rows("SELECT provider_id FROM settled_charges")),
                rows("SELECT max(restored_at) FROM restores")[0][0],
                at - timedelta(seconds=placed_within_s) if placed_within_s is not None else None,
                charges_after[0][0] if charges_after else "",
            )
    except psycopg.Error as error:
        raise ConfigurationError(
            f"The store's database cannot be read: {str(error).strip().splitlines()[0]}"
        ) from error
