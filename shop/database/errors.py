"""Database errors as errors of the store: a lost race, a timeout, a read-only server, an unreachable server."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shop.errors import DatabaseReadOnly, InvalidFields, ServiceUnavailable

RETRIED_SQLSTATES = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected: nothing was done, and another attempt may succeed."""
INSUFFICIENT_PRIVILEGE = "42501"
LOCK_NOT_AVAILABLE = "55P03"
QUERY_CANCELED = "57014"
SESSION_TIMEOUTS = frozenset({"25P03", "25P04"})
"""idle_in_transaction_session_timeout and transaction_timeout: PostgreSQL has ended the session."""
FEATURE_NOT_SUPPORTED = "0A000"
NOT_STORABLE = frozenset({"22021", "22P05"})
"""character_not_in_repertoire and untranslatable_character: text or JSON with a NUL, or in another encoding."""
RETRY_AFTER_S = 1
"""``Retry-After`` after a lock or statement timeout."""
READ_ONLY_RETRY_AFTER_S = 5
"""``Retry-After`` for a write while the database is read-only: the promotion of a standby takes seconds."""
_NO_TEXT = "The request contains a NUL or half a character, which no text has."
_READ_ONLY = "The store takes no changes at the moment. You can still browse; try again soon."
_BUSY = "Too many people are changing this at once; try again."


class TransactionConflict(Exception):
    """A transaction lost a race with another; nothing was done. :meth:`Database.run_in_transaction` runs it again."""


def busy_error() -> ServiceUnavailable:
    """Return the error for a transaction that lost every attempt."""
    return ServiceUnavailable(_BUSY, retry_after=RETRY_AFTER_S)


def sqlstate(error: DBAPIError) -> str:
    """Return the five-character SQLSTATE of a driver's error; empty if the server did not answer."""
    return getattr(error.orig, "sqlstate", None) or ""


def is_read_only(error: BaseException | None) -> bool:
    """Return whether the server refused a statement because it is read-only."""
    if getattr(error, "sqlstate", None) == FEATURE_NOT_SUPPORTED:
        return "hot standby" in str(error).lower()  # SERIALIZABLE, which a standby does not support
    return isinstance(error, psycopg.errors.ReadOnlySqlTransaction)


@contextmanager
def translate_db_errors() -> Iterator[None]:
    """Turn database errors of the block into the store's own.

    Raises:
        TransactionConflict: the transaction lost a race and was rolled back.
        InvalidFields: a text has a character that PostgreSQL cannot store. Fields are checked when they are read; this
            is for a check that was forgotten.
        DatabaseReadOnly: the server accepts no changes.
        ServiceUnavailable: the database did not answer, or not in time.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidFields(_NO_TEXT) from error
    except PoolTimeout as error:
        raise ServiceUnavailable("The store is busy; try again.", retry_after=RETRY_AFTER_S) from error
    except DBAPIError as error:
        state, message = sqlstate(error), str(error.orig)
        # The server refuses such a character, or the driver before it sends the statement.
        is_bad_text = state in NOT_STORABLE or (not state and "NUL" in message) or "surrogate" in message
        if is_bad_text and isinstance(error.orig, psycopg.DataError):
            raise InvalidFields(_NO_TEXT) from error
        if is_read_only(error.orig):
            raise DatabaseReadOnly(_READ_ONLY, retry_after=READ_ONLY_RETRY_AFTER_S) from error
        if not isinstance(error, OperationalError) and not error.connection_invalidated:
            raise
        if state in RETRIED_SQLSTATES:
            raise TransactionConflict from error
        if state in {LOCK_NOT_AVAILABLE, QUERY_CANCELED, *SESSION_TIMEOUTS}:
            raise ServiceUnavailable("That took too long; try again.", retry_after=RETRY_AFTER_S) from error
        raise ServiceUnavailable("The database is away; try again.", retry_after=RETRY_AFTER_S) from error
