"""Taking a catalogue over: into a staging table first, from there into the store, in one transaction.

All or nothing by default: a half-taken catalogue is harder to mend than a refused one. Memory stays bounded whatever
the size of the file: rows stream through COPY, and the database finds what meets twice.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from shop.datasets.importing.categories import place
from shop.datasets.importing.entry import Entry, Refused, check
from shop.datasets.importing.reading import Found
from shop.datasets.loading import OWN, exclusive, standing
from shop.datasets.plan import Connection
from shop.datasets.search_words import CLEAR, REBUILD
from shop.errors import ConfigurationError
from shop.settings import Settings

LISTED_REFUSALS = 1_000
"""Refused rows that are listed one by one; the rest is only counted."""
STAGING = """
    CREATE TEMPORARY TABLE incoming (
        line bigint, slug text, title text, brand text, department text, category text, description text, price int,
        on_hand int, category_id bigint
    ) ON COMMIT DROP
"""
TWICE = """
    WITH places AS (SELECT line, slug, min(line) OVER (PARTITION BY slug) AS first FROM incoming)
    DELETE FROM incoming USING places WHERE places.line = incoming.line AND places.first < places.line
    RETURNING incoming.line, incoming.slug, places.first
"""
TAKE = """
    WITH taken AS (
        INSERT INTO products (slug, category_id, title, brand, description, price_amount)
        SELECT slug, category_id, title, brand, description, price FROM incoming ORDER BY line
        ON CONFLICT (slug) DO UPDATE SET category_id = EXCLUDED.category_id, title = EXCLUDED.title,
            brand = EXCLUDED.brand, description = EXCLUDED.description, price_amount = EXCLUDED.price_amount
        RETURNING id, slug, xmax = 0 AS is_new
    ), stocked AS (
        INSERT INTO stock_items (product_id, on_hand, received)
        SELECT taken.id, coalesce(incoming.on_hand, 0), coalesce(incoming.on_hand, 0)
        FROM taken JOIN incoming USING (slug)
        WHERE is_new OR incoming.on_hand IS NOT NULL
        ON CONFLICT (product_id) DO UPDATE SET on_hand = greatest(EXCLUDED.on_hand, stock_items.reserved),
            received = stock_items.received + greatest(EXCLUDED.on_hand, stock_items.reserved) - stock_items.on_hand
    )
    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM taken
"""
"""A number on hand below what checkouts under way were promised is raised to it: the promise counts."""


@dataclass(frozen=True)
class Refusal:
    """A row that was not taken, and why."""

    line: int
    reason: str


@dataclass
class Report:
    """What became of a file."""

    accepted: int = 0
    created: int = 0
    updated: int = 0
    refused: int = 0
    committed: bool = False
    refusals: list[Refusal] = field(default_factory=list)
    """The first of them, by line; ``refused`` counts them all."""

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return asdict(self)

    def refuse(self, line: int, reason: str) -> None:
        """Count a refused row, and list it while there is room."""
        self.refused += 1
        if len(self.refusals) < LISTED_REFUSALS:
            self.refusals.append(Refusal(line, reason))


def take(
    settings: Settings,
    found: Iterable[Found],
    *,
    partial: bool = False,
    on_change: Callable[[], None] = lambda: None,
) -> Report:
    """Take a catalogue over.

    Args:
        settings: where the database is.
        found: the rows of the file.
        partial: whether to take the good rows when there are bad ones too.
        on_change: called after the commit; drops what caches still hold of the old catalogue.

    Returns:
        What was taken and refused; ``committed`` is false when nothing was changed.

    Raises:
        ConfigurationError: the database is not there, not migrated, or half-seeded.
    """
    report = Report()
    with exclusive(settings) as connection:
        if standing(connection).kind == "partial":
            raise ConfigurationError("The store is half-seeded: run `shop seed` to its end first, then import.")
        with connection.transaction():
            _stage(connection, found, report)
            report.committed = report.accepted > 0 and (partial or not report.refused)
            if report.committed:
                _settle(connection, report)
        if report.committed:
            connection.execute("ANALYZE")
    if report.committed:
        on_change()
    return report


def _stage(connection: Connection, found: Iterable[Found], report: Report) -> None:
    connection.execute(STAGING)
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY incoming (line, slug, title, brand, department, category, description, price, on_hand) FROM STDIN"
        ) as stream,
    ):
        for line, entry in _entries(found, report):
            stream.write_row((line, *_values(entry)))
            report.accepted += 1
    for line, slug, first in sorted(connection.execute(TWICE.encode()).fetchall()):
        report.accepted -= 1
        report.refuse(line, f"slug {slug!r} stands on line {first} already")
    report.refusals.sort(key=lambda refusal: refusal.line)


def _values(entry: Entry) -> tuple[object, ...]:
    shelf = (entry.department, entry.category)
    return (entry.slug, entry.title, entry.brand, *shelf, entry.description, entry.price, entry.on_hand)


def _entries(found: Iterable[Found], report: Report) -> Iterator[tuple[int, Entry]]:
    for line, fields in found:
        if isinstance(fields, Refused):
            report.refuse(line, str(fields))
            continue
        try:
            yield line, check(fields)
        except Refused as refusal:
            report.refuse(line, str(refusal))


def _settle(connection: Connection, report: Report) -> None:
    place(connection)
    taken = connection.execute(TAKE.encode()).fetchone()
    report.created, report.updated = taken or (0, 0)
    connection.execute(CLEAR.encode())
    connection.execute(REBUILD.encode())
    connection.execute(
        "INSERT INTO datasets (name, size, completed_at) VALUES (%s, '', now()) ON CONFLICT DO NOTHING", (OWN,)
    )
