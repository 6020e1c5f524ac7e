"""The load plan of a data set: a list of steps, one transaction each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Protocol

import psycopg

from shop.datasets.rows import COLUMNS, OrderRows, Row

Connection = psycopg.Connection[tuple[Any, ...]]
ReportRows = Callable[[int], None]
"""Called with the number of rows sent since the last call."""
PROGRESS_EVERY = 500
"""Rows between two updates of the progress bar."""


@dataclass(frozen=True)
class SourceFinding:
    """An irregularity of the source: its description, its number of rows, and its treatment."""

    subject: str
    rows: int
    treatment: str

    def to_json(self) -> dict[str, Any]:
        """Return the JSON that is stored and printed."""
        return asdict(self)


@dataclass(frozen=True)
class LoadStep:
    """One step.

    Args:
        name: unique within the data set, and the same in every run.
        rows: about how many rows it loads.
        run: loads the rows within the connection's transaction, and returns their number.
    """

    name: str
    rows: int
    run: Callable[[Connection, ReportRows], int]


class LoadPlan(Protocol):
    """A data set of one size, ready to be loaded."""

    def steps(self, today: date) -> Sequence[LoadStep]:
        """Return all steps, in order.

        Args:
            today: the day on which the load was begun. Generated dates are before it.
        """

    def findings(self) -> Sequence[SourceFinding]:
        """The irregularities of the source."""


def copy(connection: Connection, table: str, rows: Iterable[Row], report_rows: ReportRows = lambda rows: None) -> int:
    """Stream rows into a table by COPY.

    Args:
        connection: within a transaction.
        table: one of :data:`shop.datasets.rows.COLUMNS`.
        rows: values in the order of the columns; they are not held in memory.
        report_rows: called every :data:`PROGRESS_EVERY` rows and at the end.

    Returns:
        The number of rows sent.
    """
    columns = ", ".join(COLUMNS[table])
    count = reported = 0
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as stream:
        for count, row in enumerate(rows, start=1):
            stream.write_row(row)
            if count - reported == PROGRESS_EVERY:
                report_rows(PROGRESS_EVERY)
                reported = count
    report_rows(count - reported)
    return count


def copy_orders(connection: Connection, orders: OrderRows, report_rows: ReportRows) -> int:
    """Stream the rows of a batch of orders into their tables; return their number."""
    return sum(copy(connection, table, rows, report_rows) for table, rows in orders.tables())


def continue_numbering(connection: Connection, table: str) -> None:
    """Set the table's id sequence to follow the highest loaded id."""
    connection.execute(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false) FROM {table}".encode()  # noqa: S608 - our own names
    )
