"""Taking a catalogue over: into a staging table first, from there into the store, batch by batch.

All or nothing where rows are at fault: everything a row can be refused for is found out before the first batch, since a
half-taken catalogue is harder to mend than a refused one. A run that is stopped between two batches has taken what it
has taken, says up to which line, and is continued by the same file.
"""

from collections.abc import Iterable
from dataclasses import astuple

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.catalog import tags
from shop.database.transactions import Database
from shop.datasets.importing.batches import BatchImporter
from shop.datasets.importing.categories import CategoryPath, PlannedCategory, make
from shop.datasets.importing.changes import ChangedTags, Invalidate
from shop.datasets.importing.reading import Found
from shop.datasets.importing.report import ImportReport
from shop.datasets.importing.staging import judge, stage
from shop.datasets.loading import exclusive, standing
from shop.datasets.plan import Connection
from shop.datasets.production import OWN
from shop.datasets.progress import LoadProgress, SilentProgress
from shop.datasets.search_words import refresh
from shop.errors import ConfigurationError, ServiceUnavailable, ShopError
from shop.settings import Settings

STEP = "import "
"""Before the digest of a file, in the table of what was loaded: the line to which that file was taken."""
DONE = "SELECT rows FROM seed_steps WHERE name = %s"
PLACE = """
    UPDATE incoming SET category_id = places.id
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
        AS places (department, category, department_slug, category_slug, id)
    WHERE (incoming.department, incoming.category, incoming.department_slug, incoming.category_slug)
        = (places.department, places.category, places.department_slug, places.category_slug)
"""
FORGET = text("DELETE FROM seed_steps WHERE starts_with(name, :step)")
OWNED = text("INSERT INTO datasets (name, size, completed_at) VALUES (:name, '', now()) ON CONFLICT DO NOTHING")
ANALYZE = text("ANALYZE products, stock_items, categories, search_words")


def take(
    settings: Settings,
    found: Iterable[Found],
    *,
    partial: bool = False,
    on_change: Invalidate = lambda tags: None,
    progress: LoadProgress | None = None,
) -> ImportReport:
    """Take a catalogue over.

    Args:
        settings: where the database is.
        found: the rows of the file.
        partial: whether to take the good rows when there are bad ones too.
        on_change: called after commits with the tags of what was changed; ends what caches still hold of it.
        progress: told how far it is.

    Returns:
        What was taken and refused; ``committed`` is false when nothing was changed.

    Raises:
        ConfigurationError: the database is not there, not migrated, or half-seeded.
        ServiceUnavailable: it was stopped between two batches, or before the first; the message says after which line.
    """
    report, progress = ImportReport(), progress or SilentProgress()
    with exclusive(settings) as connection:
        if standing(connection).kind == "partial":
            raise ConfigurationError("The store is half-seeded: run `shop seed` to its end first, then import.")
        progress.start(0, 0)
        progress.step("reading the file")
        step = STEP + stage(connection, found, report, progress)
        report.resumed_after = _done(connection, step)
        places = judge(connection, report, report.resumed_after)
        report.committed = report.accepted > 0 and (partial or not report.refused)
        if report.committed:
            _take(connection, step, places, report, ChangedTags(on_change), progress)
    return report


def _done(connection: Connection, step: str) -> int:
    row = connection.execute(DONE, (step,)).fetchone()
    return int(row[0]) if row else 0


def _take(
    connection: Connection,
    step: str,
    places: list[tuple[CategoryPath, PlannedCategory]],
    report: ImportReport,
    changes: ChangedTags,
    progress: LoadProgress,
) -> None:
    importer = None
    try:
        ahead = connection.execute("SELECT count(*) FROM incoming").fetchone() or (0,)
        progress.start(report.accepted, report.accepted - ahead[0])
        progress.step("taking products")
        _place(connection, places, changes)
        importer = BatchImporter(connection, step, report, changes, progress)
        importer.run(report.resumed_after)
        progress.step("learning words")
        refresh(importer.database)
        changes.add({tags.SEARCHES})
        _finish(importer.database)
    except (KeyboardInterrupt, ShopError, psycopg.Error) as error:
        raise _stopped(importer.last_line if importer else report.resumed_after, error) from error
    finally:
        changes.tell()


def _place(connection: Connection, places: list[tuple[CategoryPath, PlannedCategory]], changes: ChangedTags) -> None:
    """Make the categories that are not there, and give each staged row the id of its own."""
    if any(category.id is None for _, category in places):
        changes.add({tags.CATEGORIES})
    with connection.transaction():
        rows = [(*astuple(path), make(connection, category)) for path, category in places]
        if rows:
            connection.execute(PLACE, [list(column) for column in zip(*rows, strict=True)])


def _finish(database: Database) -> None:
    with database.reading() as session:  # ANALYZE works table by table, each in a transaction of its own
        session.execute(ANALYZE)

    def settle(session: Session) -> None:
        session.execute(FORGET, {"step": STEP})
        session.execute(OWNED, {"name": OWN})

    database.run_in_transaction(settle)


def _stopped(line: int, error: BaseException) -> ServiceUnavailable:
    said = error.detail if isinstance(error, ShopError) else str(error).strip().partition("\n")[0]
    why = said or "it was interrupted"
    if not line:
        return ServiceUnavailable(f"The import stopped before the first row was taken ({why}): nothing was changed.")
    return ServiceUnavailable(
        f"The import stopped after line {line:,} ({why}): the good rows up to there are taken. Run it again with the"
        " same file, and it goes on behind them."
    )
