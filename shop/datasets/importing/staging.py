"""The rows of a file in a temporary table, where the database finds what meets twice and what is known already.

Memory stays bounded whatever the size of the file: rows stream through COPY. Nothing here changes the store.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import astuple

from shop.datasets.importing.categories import PRESENT, CategoryPath, CategoryPlan, PlannedCategory
from shop.datasets.importing.entry import ImportEntry, RefusedRow, check
from shop.datasets.importing.reading import Found
from shop.datasets.importing.report import ImportReport
from shop.datasets.plan import PROGRESS_EVERY, Connection
from shop.datasets.progress import LoadProgress

STAGING = """
    CREATE TEMPORARY TABLE incoming (
        line bigint PRIMARY KEY, slug text, made boolean, title text, brand text, department text, category text,
        department_slug text, category_slug text, description text, price int, on_hand int,
        category_id bigint, product_id bigint
    )
"""
COPY = """
    COPY incoming (line, slug, made, title, brand, department, category, department_slug, category_slug, description,
        price, on_hand) FROM STDIN
"""
PATHS = """
    SELECT DISTINCT department, category, department_slug, category_slug FROM incoming
    WHERE concat(department, category, department_slug, category_slug) <> ''
"""
OF_PATH = """
    DELETE FROM incoming WHERE (department, category, department_slug, category_slug) = (%s, %s, %s, %s) RETURNING line
"""
TWICE = """
    WITH places AS (
        SELECT line, first_value(line) OVER (PARTITION BY slug ORDER BY made, line) AS first FROM incoming
    )
    DELETE FROM incoming USING places WHERE places.line = incoming.line AND places.first <> places.line
    RETURNING incoming.line, CASE WHEN made
        THEN format('slug %L, made from the title, is that of line %s too: give this row another', slug, places.first)
        ELSE format('slug %L stands on line %s already', slug, places.first) END
"""
"""Of rows with one slug, the one that gives it is taken before those it was made for, the first before later ones."""
KNOWN = """
    UPDATE incoming SET product_id = products.id FROM products WHERE products.slug = incoming.slug
"""
MADE_AND_KNOWN = """
    DELETE FROM incoming WHERE made AND product_id IS NOT NULL
    RETURNING line, format('slug %L, made from the title, is that of a product that is there: to change it, give'
        ' this row that slug, to add another, a slug of its own', slug)
"""
FORMER = """
    DELETE FROM incoming USING former_slugs JOIN products ON products.id = former_slugs.product_id
    WHERE incoming.product_id IS NULL AND former_slugs.slug = incoming.slug
    RETURNING line, format('slug %L is an earlier name of the product %L: to change it, give that one', incoming.slug,
        products.slug)
"""
WITHDRAWN = """
    SELECT count(*) FROM incoming JOIN products ON products.id = product_id WHERE withdrawn_at IS NOT NULL
"""
INCOMPLETE = """
    DELETE FROM incoming WHERE product_id IS NULL
        AND (title IS NULL OR price IS NULL OR concat(department, category, department_slug, category_slug) = '')
    RETURNING line, format('there is no product %L to change, and a new one needs title, category and price', slug)
"""


def stage(connection: Connection, found: Iterable[Found], report: ImportReport, progress: LoadProgress) -> str:
    """Copy the good rows of a file into the table ``incoming``.

    Args:
        connection: in autocommit; the table lives as long as it does.
        found: the rows.
        report: told of good and refused rows.
        progress: told of the rows read.

    Returns:
        A digest of the good rows, by which the same file is known again.
    """
    connection.execute(STAGING)
    digest = hashlib.sha256()
    with connection.cursor() as cursor, cursor.copy(COPY) as stream:
        for line, entry in _entries(found, report):
            values = (line, *_values(entry))
            digest.update(repr(values).encode())
            stream.write_row(values)
            report.accepted += 1
            if report.accepted % PROGRESS_EVERY == 0:
                progress.advance(PROGRESS_EVERY)
    connection.execute("ANALYZE incoming")
    return digest.hexdigest()


def judge(connection: Connection, report: ImportReport, done: int) -> list[tuple[CategoryPath, PlannedCategory]]:
    """Refuse the staged rows that the store or the rest of the file does not allow.

    Args:
        connection: as :func:`stage`.
        report: told of what is refused.
        done: the line an earlier run came to; the rows up to it are taken and not looked at again.

    Returns:
        Where each path of the rows that are left leads.
    """
    _refuse(connection, report, TWICE)
    connection.execute("DELETE FROM incoming WHERE line <= %s", (done,))
    connection.execute(KNOWN)
    for statement in (MADE_AND_KNOWN, FORMER, INCOMPLETE):
        _refuse(connection, report, statement)
    report.withdrawn = _count(connection, WITHDRAWN)
    places = _places(connection, report)
    report.refusals.sort(key=lambda refusal: refusal.line)
    return places


def _places(connection: Connection, report: ImportReport) -> list[tuple[CategoryPath, PlannedCategory]]:
    plan = CategoryPlan(connection.execute(PRESENT).fetchall())
    paths = sorted((CategoryPath(*row) for row in connection.execute(PATHS).fetchall()), key=_with_slugs_first)
    places = []
    for path in paths:
        try:
            places.append((path, plan.find(path)))
        except RefusedRow as refusal:
            for (line,) in connection.execute(OF_PATH, astuple(path)):
                report.withdraw(line, str(refusal))
    return places


def _count(connection: Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0


def _with_slugs_first(path: CategoryPath) -> tuple[bool, str, str, str]:
    return (not path.category_slug, path.department, path.category, path.category_slug)


def _refuse(connection: Connection, report: ImportReport, statement: str) -> None:
    for line, reason in sorted(connection.execute(statement.encode()).fetchall()):
        report.withdraw(line, reason)


def _values(entry: ImportEntry) -> tuple[object, ...]:
    path = (*(entry.path or ("", "")), *(entry.path_slugs or ("", "")))
    return (entry.slug, entry.made, entry.title, entry.brand, *path, entry.description, entry.price, entry.on_hand)


def _entries(found: Iterable[Found], report: ImportReport) -> Iterator[tuple[int, ImportEntry]]:
    for line, fields in found:
        if isinstance(fields, RefusedRow):
            report.refuse(line, str(fields))
            continue
        try:
            yield line, check(fields)
        except RefusedRow as refusal:
            report.refuse(line, str(refusal))
