"""Transactions, said out loud.

Problem: a change that touches several records must happen whole or not at all, and what follows from it (a purged
cache, a queued message) must not happen when it did not.
Method: ``with database.transaction() as session`` is the only way to write. The caller owns the session; effects
registered with :meth:`Database.after_commit` run once the commit has returned. A transaction that lost a race
(SQLSTATE 40001) or a deadlock (40P01) is run again from its start, with full jitter. An external call inside one is
refused where it is made: it would hold locks for as long as somebody else's server likes.
Source: Cosmic Python ch. 6; PostgreSQL manual 13.5; AWS Builders' Library, "Timeouts, retries and backoff with jitter".
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from shop.errors import Unavailable

T = TypeVar("T")
Effect = Callable[[], None]

RETRIED_SQLSTATES = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected: nothing was done, and doing it again may well work."""
LOCK_NOT_AVAILABLE = "55P03"
QUERY_CANCELED = "57014"
RETRY_ATTEMPTS = 5
RETRY_BASE_S = 0.01
RETRY_CAP_S = 0.25
BUSY_RETRY_AFTER_S = 1
"""What a caller who met a lock or statement timeout is told to wait."""

_open_transactions: ContextVar[int] = ContextVar("open_transactions", default=0)
_BUSY = "Too many people are changing this at once; try again."
_EFFECTS = "shop.after_commit"


class ExternalCallInTransaction(RuntimeError):
    """A programming error: an outside server was called while a transaction was open."""


class _LostRace(Exception):
    """The database undid a transaction in favour of another's; nothing was done."""


def refuse_in_transaction(what: str) -> None:
    """Stop an external call that would be made inside an open transaction of this context.

    Raises:
        ExternalCallInTransaction: a transaction is open.
    """
    if _open_transactions.get():
        raise ExternalCallInTransaction(f"{what} was called inside an open transaction")


class Database:
    """Sessions on one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for reads only.

        Each statement sees the newest committed state; there is no BEGIN and no ROLLBACK to pay for.

        Raises:
            Unavailable: the database is away or did not answer in time.
        """
        with _translated(), Session(self._reading, autoflush=False) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session whose work is committed at the end of the block, or rolled back if it raises.

        Raises:
            Unavailable: the database is away, a lock or statement timeout was met, or a race was lost.
        """
        try:
            with self._attempt() as session:
                yield session
        except _LostRace as error:
            raise Unavailable(_BUSY, retry_after=BUSY_RETRY_AFTER_S) from error

    @contextmanager
    def _attempt(self) -> Iterator[Session]:
        with _translated():
            with Session(self.engine, expire_on_commit=False) as session:
                token = _open_transactions.set(_open_transactions.get() + 1)
                try:
                    with session.begin():
                        yield session
                finally:
                    _open_transactions.reset(token)
            effects: list[Effect] = session.info.pop(_EFFECTS, [])
        for effect in effects:
            effect()

    @staticmethod
    def after_commit(session: Session, effect: Effect) -> None:
        """Run ``effect`` once the session's transaction is committed; never if it is not."""
        session.info.setdefault(_EFFECTS, []).append(effect)

    def retrying(self, work: Callable[[Session], T]) -> T:
        """Run ``work`` in a transaction, and again from its start when it lost a race.

        Args:
            work: does everything it does through the session it is given, so that it can be repeated.

        Raises:
            Unavailable: it lost every time.
        """
        for attempt in range(1, RETRY_ATTEMPTS + 1):
            try:
                with self._attempt() as session:
                    return work(session)
            except _LostRace:
                if attempt == RETRY_ATTEMPTS:
                    break
            time.sleep(random.uniform(0, min(RETRY_CAP_S, RETRY_BASE_S * 2**attempt)))  # full jitter
        raise Unavailable(_BUSY, retry_after=BUSY_RETRY_AFTER_S)


def sqlstate(error: DBAPIError) -> str:
    """Return the five-character SQLSTATE of a driver's error, or an empty string where the server never answered."""
    return getattr(error.orig, "sqlstate", None) or ""


@contextmanager
def _translated() -> Iterator[None]:
    """Turn "the database is away or busy" into the store's own refusal."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("The store is busy; try again.", retry_after=BUSY_RETRY_AFTER_S) from error
    except OperationalError as error:
        state = sqlstate(error)
        if state in RETRIED_SQLSTATES:
            raise _LostRace from error
        if state in (LOCK_NOT_AVAILABLE, QUERY_CANCELED):
            raise Unavailable("That took too long; try again.", retry_after=BUSY_RETRY_AFTER_S) from error
        raise Unavailable("The database is away; try again.", retry_after=BUSY_RETRY_AFTER_S) from error
