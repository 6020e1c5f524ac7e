"""The last statements of a transaction, sent together with its COMMIT: one round trip for all of it.

What nobody waits for the answer of can travel so: a message, a row of the read model, the answer kept under a key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError

from shop.database.connection import require_unbroken

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Of a statement that runs once, or of one that runs once for each."""


@dataclass(frozen=True, slots=True)
class DeferredStatement:
    """A statement that is not waited for.

    Args:
        statement: made once and kept by whoever runs it often: SQLAlchemy then compiles it once.
        parameters: what is new in it.
    """

    statement: Executable
    parameters: Parameters | None = None


def commit_pipelined(connection: Connection, statements: Sequence[DeferredStatement]) -> None:
    """Send the statements and COMMIT in one packet, in this order.

    SQLAlchemy's own commit, which follows, finds nothing left to do and sends nothing. (Committing inside psycopg's
    pipeline by its own method costs a second round trip, for leaving the pipeline.)

    Raises:
        DBAPIError: one of them failed; nothing is committed, unless the connection was lost behind the COMMIT.
        TransactionAborted: an earlier statement had failed, and its error was swallowed.
    """
    if not statements:
        return
    driver: psycopg.Connection | None = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("a connection that is open has a driver's connection")
    require_unbroken(driver)
    refused: DBAPIError | psycopg.Error | None = None
    try:
        with driver.pipeline():
            try:
                for word in statements:
                    connection.execute(word.statement, word.parameters)
                if not driver.autocommit:
                    driver.execute("COMMIT")
            except (DBAPIError, psycopg.Error) as error:
                refused = error  # raised behind the pipeline: left with an error, it logs what that has aborted
    except psycopg.Error as error:  # told at the pipeline's end, where SQLAlchemy does not see it
        refused = refused or error
    if isinstance(refused, psycopg.Error):
        raise DBAPIError.instance(
            "COMMIT", None, refused, psycopg.Error, connection_invalidated=driver.closed
        ) from refused
    if refused is not None:
        raise refused
