"""Import of a catalogue: into a staging table first, then into the store in batches.

Every row is checked before the first batch, and by default one refused row stops the import: a refused file is easier
to correct than a partly imported one. If a run is stopped between two batches, the committed batches stay. The message
gives the last imported line, and a second run with the same file resumes after it.
"""

from collections.abc import Iterable
from dataclasses import astuple

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.catalog import tags
from shop.datasets.importing.batches import BatchImporter
from shop.datasets.importing.categories import CategoryPath, PlannedCategory, get_or_create
from shop.datasets.importing.changes import ChangedTags, Invalidate
from shop.datasets.importing.reading import NumberedRow
from shop.datasets.importing.report import ImportReport
from shop.datasets.importing.staging import refuse_conflicts, stage
from shop.datasets.loading import exclusive_connection, loaded_dataset
from shop.datasets.plan import Connection
from shop.datasets.production import OWN
from shop.datasets.progress import LoadProgress, SilentProgress
from shop.datasets.search_words import refresh_search_words
from shop.errors import ConfigurationError, ServiceUnavailable, ShopError
from shop.settings import Settings

STEP = "import "
"""Prefix of the step's name in ``seed_steps``, before the file's digest. Its row count is the last imported line."""
LAST_LINE = "SELECT rows FROM seed_steps WHERE name = %s"
SET_CATEGORIES = """
    UPDATE incoming SET category_id = planned.id
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
        AS planned (department, category, department_slug, category_slug, id)
    WHERE (incoming.department, incoming.category, incoming.department_slug, incoming.category_slug)
        = (planned.department, planned.category, planned.department_slug, planned.category_slug)
"""
DELETE_STEPS = text("DELETE FROM seed_steps WHERE starts_with(name, :step)")
MARK_AS_OWN = text("INSERT INTO datasets (name, size, completed_at) VALUES (:name, '', now()) ON CONFLICT DO NOTHING")
ANALYZE = text("ANALYZE products, stock_items, categories, search_words")


def import_catalogue(
    settings: Settings,
    rows: Iterable[NumberedRow],
    *,
    partial: bool = False,
    on_change: Invalidate = lambda tags: None,
    progress: LoadProgress | None = None,
) -> ImportReport:
    """Import a catalogue.

    Args:
        settings: the database's URL.
        rows: the rows of the file.
        partial: whether to import the valid rows if other rows are refused.
        on_change: called after commits with the tags of the changed products; invalidates the caches.
        progress: receives the progress.

    Returns:
        The counts of imported and refused rows; ``committed`` is false if nothing was changed.

    Raises:
        ConfigurationError: the database is not available, not migrated, or only half seeded.
        ServiceUnavailable: the import was stopped; the message gives the last imported line.
    """
    report, progress = ImportReport(), progress or SilentProgress()
    with exclusive_connection(settings) as connection:
        if loaded_dataset(connection).kind == "partial":
            raise ConfigurationError("The store is half-seeded: run `bin/shop seed` to its end first, then import.")
        progress.start(0, 0)
        progress.step("reading the file")
        step = STEP + stage(connection, rows, report, progress)
        row = connection.execute(LAST_LINE, (step,)).fetchone()
        report.resumed_after = int(row[0]) if row else 0
        categories = refuse_conflicts(connection, report, report.resumed_after)
        report.committed = report.accepted > 0 and (partial or not report.refused)
        if report.committed:
            _import_staged_rows(connection, step, categories, report, ChangedTags(on_change), progress)
    return report


def _import_staged_rows(
    connection: Connection,
    step: str,
    categories: list[tuple[CategoryPath, PlannedCategory]],
    report: ImportReport,
    changes: ChangedTags,
    progress: LoadProgress,
) -> None:
    importer = None
    try:
        remaining = connection.execute("SELECT count(*) FROM incoming").fetchone() or (0,)
        progress.start(report.accepted, report.accepted - remaining[0])
        progress.step("importing products")
        if any(category.id is None for _, category in categories):
            changes.add({tags.CATEGORIES})
        with connection.transaction():
            ids = [(*astuple(path), get_or_create(connection, category)) for path, category in categories]
            if ids:
                connection.execute(SET_CATEGORIES, [list(column) for column in zip(*ids, strict=True)])
        importer = BatchImporter(connection, step, report, changes, progress)
        importer.run(report.resumed_after)
        progress.step("updating search words")
        refresh_search_words(importer.database)
        changes.add({tags.SEARCHES})
        with importer.database.reading() as session:  # ANALYZE needs no common transaction: it works table by table
            session.execute(ANALYZE)

        def mark_complete(session: Session) -> None:
            session.execute(DELETE_STEPS, {"step": STEP})
            session.execute(MARK_AS_OWN, {"name": OWN})

        importer.database.run_in_transaction(mark_complete)
    except (KeyboardInterrupt, ShopError, psycopg.Error) as error:
        last_line = importer.last_line if importer else report.resumed_after
        detail = error.detail if isinstance(error, ShopError) else str(error).strip().partition("\n")[0]
        raise _import_stopped(last_line, detail or "it was interrupted") from error
    finally:
        changes.flush()


def _import_stopped(last_line: int, reason: str) -> ServiceUnavailable:
    if not last_line:
        return ServiceUnavailable(f"The import stopped before the first row ({reason}): nothing was changed.")
    return ServiceUnavailable(
        f"The import stopped after line {last_line:,} ({reason}): the valid rows up to that line are imported. Run it"
        " again with the same file to continue."
    )
