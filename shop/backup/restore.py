"""Restore of a backup: one transaction for the schema and all rows, so a failure changes nothing."""

import time
import zipfile
from pathlib import Path

import psycopg
from sqlalchemy import Connection, Engine, text

from shop.backup import archive, tables
from shop.backup.archive import BackupManifest
from shop.database import schema
from shop.database.engine import lift_limits
from shop.errors import ConfigurationError

OTHER_SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
"""
"""Sessions of clients; PostgreSQL's own processes have no user."""
SESSIONS_END_WITHIN_S, POLL_S = 2.0, 0.05
"""Seconds that a closed session may still be listed, since its process ends a little later; seconds between checks."""
RECORD_RESTORE = "INSERT INTO restores (taken_at) VALUES (:taken_at)"


def check_backup(path: Path) -> BackupManifest:
    """Return the manifest of a backup, if this code can restore the backup.

    Raises:
        ConfigurationError: the file is not a backup, is damaged, or its schema is newer than this code.
    """
    with archive.open_archive(path) as (_, manifest):
        if manifest.revision not in schema.revisions():
            raise ConfigurationError(
                f"{path} was taken at schema revision {manifest.revision}, which this code does not know (its newest is"
                f" {schema.revisions()[-1]}): bring the code up to date."
            )
        return manifest


def restore_backup(engine: Engine, path: Path) -> BackupManifest:
    """Replace all rows of the database by those of a backup, and migrate them to this code's schema.

    Args:
        engine: of the store's database, without other clients.
        path: the backup.

    Raises:
        ConfigurationError: the file cannot be used, or the store is running. Nothing was changed.
    """
    check_backup(path)
    with archive.open_archive(path) as (backup, manifest), engine.begin() as connection:
        lift_limits(connection)
        _require_no_other_sessions(connection)
        tables.truncate(connection, list(tables.table_columns(connection)))
        schema.move_to(connection, manifest.revision)
        tables.truncate(connection, list(tables.table_columns(connection)))  # a migration may have added rows
        _fill_tables(connection, backup, manifest, path)
        schema.move_to(connection, schema.revisions()[-1])
        connection.execute(text(RECORD_RESTORE), {"taken_at": manifest.taken_at})
    return manifest


def _require_no_other_sessions(connection: Connection) -> None:
    deadline = time.monotonic() + SESSIONS_END_WITHIN_S
    while (others := connection.scalar(text(OTHER_SESSIONS))) and time.monotonic() < deadline:
        time.sleep(POLL_S)
        # Within a transaction pg_stat_activity returns the same rows until its snapshot is cleared.
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
    if others:
        raise ConfigurationError(
            f"The store runs: {others} other sessions are open in its database. Stop everything that uses it first."
        )


def _fill_tables(connection: Connection, backup: zipfile.ZipFile, manifest: BackupManifest, path: Path) -> None:
    known = tables.table_columns(connection)
    # A column that a downgrade has added again is the last of its table, so the order may differ.
    if {table.name: set(table.columns) for table in manifest.tables} != {name: set(known[name]) for name in known}:
        raise ConfigurationError(
            f"{path} has other tables than schema revision {manifest.revision}: nothing was changed."
        )
    for table in manifest.tables:
        try:
            with backup.open(archive.member_name(table.name)) as member:
                rows = tables.copy_in(connection, table.name, table.columns, member)
        except psycopg.DatabaseError as error:
            reason = str(error).splitlines()[0]
            raise ConfigurationError(f"{path} is damaged: the rows of {table.name} are refused ({reason}).") from None
        if rows != table.rows:
            raise ConfigurationError(f"{path} is damaged: {table.name} has {rows} rows in place of {table.rows}.")
    for name, last in manifest.sequences.items():
        tables.set_sequence(connection, name, last)
