"""What PostgreSQL, or the way to it, refuses, in the store's own words: lost a race, took too long, is away."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shop.errors import DatabaseReadOnly, InvalidFields, ServiceUnavailable

RETRIED_SQLSTATES = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected: nothing was done, and doing it again may well work."""
INSUFFICIENT_PRIVILEGE = "42501"
LOCK_NOT_AVAILABLE = "55P03"
QUERY_CANCELED = "57014"
SESSION_TIMEOUTS = frozenset({"25P03", "25P04"})
"""idle_in_transaction_session_timeout and transaction_timeout: PostgreSQL has ended the session over them."""
FEATURE_NOT_SUPPORTED = "0A000"
NOT_STORABLE = frozenset({"22021", "22P05"})
"""character_not_in_repertoire and untranslatable_character: text or JSON with a NUL, or in another encoding."""
RETRY_AFTER_S = 1
"""What a caller who met a lock or statement timeout is told to wait."""
READ_ONLY_RETRY_AFTER_S = 5
"""What a caller is told to wait who wanted to change something: a standby is promoted in seconds, if it is."""
_NO_TEXT = "There is a NUL or half a character in what was sent, which no text has."
_READ_ONLY = "The store takes no changes at the moment; look around, and try again soon."
_BUSY = "Too many people are changing this at once; try again."


class TransactionConflict(Exception):
    """A transaction gives way to another's; nothing was done. :meth:`Database.run_in_transaction` runs it again."""


def busy_error() -> ServiceUnavailable:
    """Return the refusal of a transaction that lost its races."""
    return ServiceUnavailable(_BUSY, retry_after=RETRY_AFTER_S)


def sqlstate(error: DBAPIError) -> str:
    """Return the five-character SQLSTATE of a driver's error, or an empty string where the server never answered."""
    return getattr(error.orig, "sqlstate", None) or ""


def is_read_only(error: BaseException | None) -> bool:
    """Tell whether the server refused a driver's statement because it takes no changes."""
    if getattr(error, "sqlstate", None) == FEATURE_NOT_SUPPORTED:
        return "hot standby" in str(error).lower()  # SERIALIZABLE, which a standby cannot give
    return isinstance(error, psycopg.errors.ReadOnlySqlTransaction)


@contextmanager
def translate_db_errors() -> Iterator[None]:
    """Turn "the database is away or busy" into the store's own refusal.

    Raises:
        TransactionConflict: the block's transaction was undone for another's sake.
        InvalidFields: a text has a character that PostgreSQL cannot hold. Fields are checked where they are read; this
            is for the one that was forgotten.
        DatabaseReadOnly: it is there, and takes no changes.
        ServiceUnavailable: the database is away or did not answer in time.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidFields(_NO_TEXT) from error
    except PoolTimeout as error:
        raise ServiceUnavailable("The store is busy; try again.", retry_after=RETRY_AFTER_S) from error
    except DBAPIError as error:
        state = sqlstate(error)
        if _is_not_storable(error):
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


def _is_not_storable(error: DBAPIError) -> bool:
    """Tell whether a text was refused for a character: by the server, or by the driver before it was sent."""
    if not isinstance(error.orig, psycopg.DataError):
        return False
    state, says = sqlstate(error), str(error.orig)
    return state in NOT_STORABLE or (not state and "NUL" in says) or "surrogate" in says
