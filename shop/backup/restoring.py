"""Putting a backup back: in one transaction, the schema included, so that a failure leaves what was there."""

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
"""Sessions of people and programs; PostgreSQL's own processes have no user."""
SESSIONS_END_WITHIN_S, POLL_S = 2.0, 0.05
"""How long a session that was closed may still be listed: its process ends after the client has gone on."""
NOTE = "INSERT INTO restores (taken_at) VALUES (:taken_at)"


def check_backup(path: Path) -> BackupManifest:
    """Return what a backup holds, if this code can put it back.

    Raises:
        ConfigurationError: it is none, damaged, or of a schema newer than this code.
    """
    with archive.open_archive(path) as (_, manifest):
        if manifest.revision not in schema.revisions():
            raise ConfigurationError(
                f"{path} was taken at schema revision {manifest.revision}, which this code does not know (its newest is"
                f" {schema.revisions()[-1]}): bring the code up to date."
            )
        return manifest


def restore_backup(engine: Engine, path: Path) -> BackupManifest:
    """Replace everything in the database by what a backup holds, and bring that to this code's schema.

    Args:
        engine: of the store's database, which nobody else uses.
        path: the backup.

    Raises:
        ConfigurationError: the file cannot be used, or the store runs. Nothing was changed.
    """
    check_backup(path)
    with archive.open_archive(path) as (given, manifest), engine.begin() as connection:
        lift_limits(connection)
        _require_alone(connection)
        tables.truncate(connection, list(tables.table_columns(connection)))
        schema.move_to(connection, manifest.revision)
        tables.truncate(connection, list(tables.table_columns(connection)))  # a migration may have added rows
        _fill(connection, given, manifest, path)
        schema.move_to(connection, schema.revisions()[-1])
        connection.execute(text(NOTE), {"taken_at": manifest.taken_at})
    return manifest


def _require_alone(connection: Connection) -> None:
    given_up_at = time.monotonic() + SESSIONS_END_WITHIN_S
    while (others := connection.scalar(text(OTHER_SESSIONS))) and time.monotonic() < given_up_at:
        time.sleep(POLL_S)
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))  # a transaction sees one list, or asks for another
    if others:
        raise ConfigurationError(
            f"The store runs: {others} other sessions are open in its database. Stop everything that uses it, first."
        )


def _fill(connection: Connection, given: zipfile.ZipFile, manifest: BackupManifest, path: Path) -> None:
    known = tables.table_columns(connection)
    # A column that a downgrade has added again is the last of its table, so the order may differ.
    if {table.name: set(table.columns) for table in manifest.tables} != {name: set(known[name]) for name in known}:
        raise ConfigurationError(
            f"{path} has other tables than schema revision {manifest.revision}: nothing was changed."
        )
    for table in manifest.tables:
        try:
            with given.open(archive.member_name(table.name)) as member:
                rows = tables.copy_in(connection, table.name, table.columns, member)
        except psycopg.DatabaseError as error:
            why = str(error).splitlines()[0]
            raise ConfigurationError(f"{path} is damaged: the rows of {table.name} are refused ({why}).") from None
        if rows != table.rows:
            raise ConfigurationError(f"{path} is damaged: {table.name} has {rows} rows in place of {table.rows}.")
    for name, last in manifest.sequences.items():
        tables.set_sequence(connection, name, last)
