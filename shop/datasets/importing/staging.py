"""The staging table: the rows of a file in a temporary table, where SQL finds duplicates and existing products.

Rows stream through COPY, so memory is bounded for any size of file. Staging does not change the store.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import astuple

from shop.datasets.importing.categories import SELECT_CATEGORIES, CategoryPath, CategoryPlan, PlannedCategory
from shop.datasets.importing.entry import RefusedRow, check
from shop.datasets.importing.reading import NumberedRow
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
DELETE_PATH = """
    DELETE FROM incoming WHERE (department, category, department_slug, category_slug) = (%s, %s, %s, %s) RETURNING line
"""
DUPLICATES = """
    WITH places AS (
        SELECT line, first_value(line) OVER (PARTITION BY slug ORDER BY made, line) AS first FROM incoming
    )
    DELETE FROM incoming USING places WHERE places.line = incoming.line AND places.first <> places.line
    RETURNING incoming.line, CASE WHEN made
        THEN format('slug %L, made from the title, is that of line %s too: give this row another', slug, places.first)
        ELSE format('slug %L stands on line %s already', slug, places.first) END
"""
"""Of rows with the same slug, a row that states the slug wins over rows with a generated slug, then the first line."""
MATCH_PRODUCTS = """
    UPDATE incoming SET product_id = products.id FROM products WHERE products.slug = incoming.slug
"""
GENERATED_SLUGS_OF_PRODUCTS = """
    DELETE FROM incoming WHERE made AND product_id IS NOT NULL
    RETURNING line, format('slug %L, made from the title, is that of a product that is there: to change it, give'
        ' this row that slug, to add another, a slug of its own', slug)
"""
FORMER_SLUGS = """
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


def stage(connection: Connection, rows: Iterable[NumberedRow], report: ImportReport, progress: LoadProgress) -> str:
    """Copy the valid rows of a file into the table ``incoming``.

    Args:
        connection: in autocommit mode; the table exists as long as the connection.
        rows: the rows of the file.
        report: counts accepted and refused rows.
        progress: receives the number of rows read.

    Returns:
        A digest of the valid rows, which identifies the same file in another run.
    """
    connection.execute(STAGING)
    digest = hashlib.sha256()
    with connection.cursor() as cursor, cursor.copy(COPY) as stream:
        for line, fields in rows:
            try:
                if isinstance(fields, RefusedRow):
                    raise fields
                entry = check(fields)
            except RefusedRow as refusal:
                report.refuse(line, str(refusal))
                continue
            path = (*(entry.path or ("", "")), *(entry.path_slugs or ("", "")))
            values = (
                *(line, entry.slug, entry.is_slug_generated, entry.title, entry.brand),
                *(*path, entry.description, entry.price, entry.on_hand),
            )
            digest.update(repr(values).encode())
            stream.write_row(values)
            report.accepted += 1
            if report.accepted % PROGRESS_EVERY == 0:
                progress.advance(PROGRESS_EVERY)
    connection.execute("ANALYZE incoming")
    return digest.hexdigest()


def refuse_conflicts(
    connection: Connection, report: ImportReport, resume_after: int
) -> list[tuple[CategoryPath, PlannedCategory]]:
    """Refuse the staged rows that conflict with the store or with other rows, and plan the categories.

    Args:
        connection: the connection of :func:`stage`.
        report: counts the refused rows.
        resume_after: the last line of an earlier run; rows up to it are imported and are removed from the table.

    Returns:
        Each category path of the remaining rows, with its category.
    """
    _refuse(connection, report, DUPLICATES)
    connection.execute("DELETE FROM incoming WHERE line <= %s", (resume_after,))
    connection.execute(MATCH_PRODUCTS)
    for statement in (GENERATED_SLUGS_OF_PRODUCTS, FORMER_SLUGS, INCOMPLETE):
        _refuse(connection, report, statement)
    ((report.withdrawn,),) = connection.execute(WITHDRAWN).fetchall()
    plan = CategoryPlan(connection.execute(SELECT_CATEGORIES).fetchall())
    paths = [CategoryPath(*row) for row in connection.execute(PATHS).fetchall()]
    paths.sort(key=lambda path: (not path.category_slug, path.department, path.category, path.category_slug))
    planned = []
    for path in paths:
        try:
            planned.append((path, plan.find(path)))
        except RefusedRow as refusal:
            for (line,) in connection.execute(DELETE_PATH, astuple(path)):
                report.withdraw(line, str(refusal))
    report.refusals.sort(key=lambda refusal: refusal.line)
    return planned


def _refuse(connection: Connection, report: ImportReport, statement: str) -> None:
    for line, reason in sorted(connection.execute(statement.encode()).fetchall()):
        report.withdraw(line, reason)
