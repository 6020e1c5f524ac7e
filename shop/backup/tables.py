"""The tables of a database, and the COPY of their rows to a file and back."""

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import IO, Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

CHUNK_BYTES = 1 << 16
NOT_COPIED = "alembic_version"
"""The table of the schema's revision: the manifest holds the revision, and the migrations write the table."""
COLUMNS = """
SELECT c.relname, a.attname FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname <> :not_copied
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY c.relname, a.attnum
"""
FOREIGN_KEYS = """
SELECT source.relname, target.relname FROM pg_constraint
JOIN pg_class AS source ON source.oid = conrelid
JOIN pg_class AS target ON target.oid = confrelid
WHERE contype = 'f' AND source.relnamespace = current_schema()::regnamespace AND source.oid <> target.oid
"""
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1"


def table_columns(connection: Connection) -> Mapping[str, Sequence[str]]:
    """Return the columns of each table; a table comes after the tables that its foreign keys refer to."""
    columns: dict[str, list[str]] = {}
    for table, column in connection.execute(text(COLUMNS), {"not_copied": NOT_COPIED}):
        columns.setdefault(table, []).append(column)
    order = TopologicalSorter[str](dict.fromkeys(columns, ()))
    for source, target in connection.execute(text(FOREIGN_KEYS)):
        order.add(source, target)
    return {table: columns[table] for table in order.static_order() if table in columns}


def sequence_values(connection: Connection) -> dict[str, int | None]:
    """Return the last value of each sequence; ``None`` for an unused sequence."""
    return {row.sequencename: row.last_value for row in connection.execute(text(SEQUENCES))}


def copy_out(connection: Connection, table: str, columns: Sequence[str], file: IO[bytes]) -> int:
    """Write the rows of a table to a file; return their number."""
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(_identifiers(columns), sql.Identifier(table))
    with _psycopg_connection(connection).cursor() as cursor:
        with cursor.copy(statement) as stream:
            for chunk in stream:
                file.write(chunk)
        return cursor.rowcount


def copy_in(connection: Connection, table: str, columns: Sequence[str], file: IO[bytes]) -> int:
    """Add the rows of a file to a table; return their number."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _identifiers(columns))
    with _psycopg_connection(connection).cursor() as cursor:
        with cursor.copy(statement) as stream:
            while chunk := file.read(CHUNK_BYTES):
                stream.write(chunk)
        return cursor.rowcount


def truncate(connection: Connection, tables: Sequence[str]) -> None:
    """Delete all rows of the tables."""
    if tables:
        _psycopg_connection(connection).execute(sql.SQL("TRUNCATE {}").format(_identifiers(tables)))


def set_sequence(connection: Connection, name: str, last_value: int | None) -> None:
    """Set the last value of a sequence; ``None`` resets the sequence to its start value."""
    reset = "SELECT setval(quote_ident(:name)::regclass, start_value, false) FROM pg_sequences"
    reset += " WHERE schemaname = current_schema() AND sequencename = :name"
    resume = "SELECT setval(quote_ident(:name)::regclass, :last)"
    connection.execute(text(reset if last_value is None else resume), {"name": name, "last": last_value})


def _psycopg_connection(connection: Connection) -> psycopg.Connection[Any]:
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


def _identifiers(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
