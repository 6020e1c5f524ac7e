"""A data set as a list of steps, each committed whole."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import psycopg

from shop.datasets.rows import COLUMNS, Row

Connection = psycopg.Connection[tuple[Any, ...]]
Seen = Callable[[int], None]
"""Told of so many more rows."""
PROGRESS_EVERY = 500
"""Rows between two words to the progress bar."""


@dataclass(frozen=True)
class SourceFinding:
    """Something odd in a source, counted: what it is, how many rows, what was done with them."""

    subject: str
    rows: int
    treatment: str

    def to_json(self) -> dict[str, Any]:
        """Return it as it is kept and printed."""
        return asdict(self)


@dataclass(frozen=True)
class LoadStep:
    """One step.

    Args:
        name: unique within the data set, and the same in every run.
        rows: about how many rows it loads.
        run: does it within the transaction of the connection, and returns how many rows it loaded.
    """

    name: str
    rows: int
    run: Callable[[Connection, Seen], int]


class LoadPlan(Protocol):
    """A data set of one size, ready to be loaded."""

    @property
    def steps(self) -> Sequence[LoadStep]:
        """All steps, in order."""

    def findings(self) -> Sequence[SourceFinding]:
        """What was odd in the source."""


def copy(connection: Connection, table: str, rows: Iterable[Row], seen: Seen = lambda rows: None) -> int:
    """Stream rows into a table by COPY.

    Args:
        connection: within a transaction.
        table: one of :data:`shop.datasets.rows.COLUMNS`.
        rows: values in the order of its columns; may be endless for all the memory it takes.
        seen: told of the rows sent, now and then.

    Returns:
        How many rows were sent.
    """
    columns = ", ".join(COLUMNS[table])
    count = told = 0
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as stream:
        for count, row in enumerate(rows, start=1):
            stream.write_row(row)
            if count - told == PROGRESS_EVERY:
                seen(PROGRESS_EVERY)
                told = count
    seen(count - told)
    return count


def continue_numbering(connection: Connection, table: str) -> None:
    """Let the table's next generated id follow the highest one that was loaded."""
    connection.execute(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false) FROM {table}".encode()  # noqa: S608 - our own names
    )
