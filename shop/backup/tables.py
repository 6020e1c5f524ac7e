"""Which tables a database has, and how rows leave it and come back."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import IO, Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

CHUNK_BYTES = 1 << 16
NOT_COPIED = "alembic_version"
"""Says which revision the schema is at: that is the manifest's to say, and the migrations' to write."""
COLUMNS = """
SELECT c.relname, a.attname FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname <> :not_copied
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY c.relname, a.attnum
"""
POINTS_TO = """
SELECT source.relname, target.relname FROM pg_constraint
JOIN pg_class AS source ON source.oid = conrelid
JOIN pg_class AS target ON target.oid = confrelid
WHERE contype = 'f' AND source.relnamespace = current_schema()::regnamespace AND source.oid <> target.oid
"""
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1"


def table_columns(connection: Connection) -> Mapping[str, Sequence[str]]:
    """Return the tables and the columns of each, in an order in which foreign keys never point ahead."""
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(text(COLUMNS), {"not_copied": NOT_COPIED}):
        found.setdefault(table, []).append(column)
    order = TopologicalSorter[str](dict.fromkeys(found, ()))
    for source, target in connection.execute(text(POINTS_TO)):
        order.add(source, target)
    return {table: found[table] for table in order.static_order() if table in found}


def sequence_values(connection: Connection) -> dict[str, int | None]:
    """Return the sequences and the last value of each; ``None`` for one that has given none."""
    return {row.sequencename: row.last_value for row in connection.execute(text(SEQUENCES))}


def copy_out(connection: Connection, table: str, names: Sequence[str], out: IO[bytes]) -> int:
    """Write a table's rows; return how many that were."""
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(_list(names), sql.Identifier(table))
    with _driver(connection).cursor() as cursor:
        with cursor.copy(statement) as rows:
            for chunk in rows:
                out.write(chunk)
        return cursor.rowcount


def copy_in(connection: Connection, table: str, names: Sequence[str], given: IO[bytes]) -> int:
    """Add rows to a table; return how many that were."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _list(names))
    with _driver(connection).cursor() as cursor:
        with cursor.copy(statement) as rows:
            for chunk in _chunks(given):
                rows.write(chunk)
        return cursor.rowcount


def truncate(connection: Connection, names: Sequence[str]) -> None:
    """Take every row out of every table."""
    if names:
        _driver(connection).execute(sql.SQL("TRUNCATE {}").format(_list(names)))


def set_sequence(connection: Connection, name: str, last: int | None) -> None:
    """Let a sequence go on behind its last value, or begin."""
    begins = "SELECT setval(quote_ident(:name)::regclass, start_value, false) FROM pg_sequences"
    begins += " WHERE schemaname = current_schema() AND sequencename = :name"
    goes_on = "SELECT setval(quote_ident(:name)::regclass, :last)"
    connection.execute(text(begins if last is None else goes_on), {"name": name, "last": last})


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


def _list(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _chunks(given: IO[bytes]) -> Iterator[bytes]:
    while chunk := given.read(CHUNK_BYTES):
        yield chunk
