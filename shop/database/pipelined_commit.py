"""Pipelined commit: the last statements of a transaction are sent together with its COMMIT, in one round trip.

A statement can be pipelined if its result is not needed: an outbox message, a row of the read model, the response that
is stored under an idempotency key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError

from shop.database.connection import require_unbroken

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Parameters of a statement that runs once, or a sequence for a statement that runs once for each."""


@dataclass(frozen=True, slots=True)
class PipelinedStatement:
    """A statement whose result is not needed; it is sent with COMMIT.

    Args:
        statement: a module that runs it often builds it once, so that SQLAlchemy compiles it once.
        parameters: its values.
    """

    statement: Executable
    parameters: Parameters | None = None


def commit_pipelined(connection: Connection, statements: Sequence[PipelinedStatement]) -> None:
    """Send the statements and COMMIT in one packet, in this order.

    SQLAlchemy's own commit, which follows, has nothing to do and sends nothing. (psycopg's ``commit()`` inside a
    pipeline would cost a second round trip, at the end of the pipeline.)

    Raises:
        DBAPIError: a statement failed; nothing is committed, unless the connection was lost after the COMMIT.
        TransactionAborted: an earlier statement failed, and its error was swallowed.
    """
    if not statements:
        return
    driver: psycopg.Connection | None = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("an open connection has a driver's connection")
    require_unbroken(driver)
    failure: DBAPIError | psycopg.Error | None = None
    try:
        with driver.pipeline():
            try:
                for deferred in statements:
                    connection.execute(deferred.statement, deferred.parameters)
                if not driver.autocommit:
                    driver.execute("COMMIT")
            except (DBAPIError, psycopg.Error) as error:
                failure = error  # raised after the pipeline: an error inside makes psycopg log each aborted statement
    except psycopg.Error as error:  # reported at the pipeline's end, where SQLAlchemy does not see it
        failure = failure or error
    if isinstance(failure, psycopg.Error):
        raise DBAPIError.instance(
            "COMMIT", None, failure, psycopg.Error, connection_invalidated=driver.closed
        ) from failure
    if failure is not None:
        raise failure
