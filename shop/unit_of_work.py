"""Transactions, said out loud.

Problem: a change that touches several records must happen whole or not at all, and what follows from it (a purged
cache, a queued message) must not happen when it did not.
Method: ``with database.transaction() as session`` is the only way to write. The caller owns the session; effects
registered with :meth:`Database.after_commit` run once the commit has returned. A transaction that lost a race
(SQLSTATE 40001) or a deadlock (40P01) is run again from its start, with full jitter. An external call inside one is
refused where it is made: it would hold locks for as long as somebody else's server likes.
A caller who must have several such blocks be one transaction opens :meth:`Database.enclosing` around them: each then
joins it, whoever wrote it.
Source: Cosmic Python ch. 6; PostgreSQL manual 13.5; AWS Builders' Library, "Timeouts, retries and backoff with jitter".
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import psycopg
from sqlalchemy import Connection, Engine, Executable
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
FELL_SILENT = "25P03"
"""idle_in_transaction_session_timeout: this process stalled inside a transaction, and PostgreSQL has ended it."""
RETRY_ATTEMPTS = 5
RETRY_BASE_S = 0.01
RETRY_CAP_S = 0.25
BUSY_RETRY_AFTER_S = 1
"""What a caller who met a lock or statement timeout is told to wait."""

_open_transactions: ContextVar[int] = ContextVar("open_transactions", default=0)
_enclosing: ContextVar["Enclosing | None"] = ContextVar("enclosing_transaction", default=None)
_BUSY = "Too many people are changing this at once; try again."
_EFFECTS = "shop.after_commit"
_LAST_WORDS = "shop.with_commit"


class ExternalCallInTransaction(RuntimeError):
    """A programming error: an outside server was called while a transaction was open."""


class TransactionUndone(RuntimeError):
    """A programming error: something was to be written after the enclosing transaction had been rolled back."""


class LostRace(Exception):
    """A transaction gives way to another's; nothing was done. :meth:`Database.retrying` runs it again."""


def refuse_in_transaction(what: str) -> None:
    """Stop an external call that would be made inside an open transaction of this context.

    Raises:
        ExternalCallInTransaction: a transaction is open.
    """
    if _open_transactions.get():
        raise ExternalCallInTransaction(f"{what} was called inside an open transaction")


class Enclosing:
    """One transaction that all blocks of a context join.

    A block that raises rolls back all of it, not only its own part: a savepoint around each would cost two round
    trips. What is done after that is refused if it writes.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transaction = connection.begin()
        self._effects: list[Effect] = []
        self._last_words: list[Executable] = []

    @property
    def is_open(self) -> bool:
        """Whether what was done so far can still be committed."""
        return self._transaction.is_active

    @contextmanager
    def session(self, *, autoflush: bool = True) -> Iterator[Session]:
        """Open a session of its own inside the transaction."""
        with Session(
            self._connection, expire_on_commit=False, autoflush=autoflush, join_transaction_mode="rollback_only"
        ) as session:
            yield session
            self._effects += session.info.pop(_EFFECTS, [])
            self._last_words += session.info.pop(_LAST_WORDS, [])

    def with_commit(self, statement: Executable) -> None:
        """Run ``statement`` as the last of the transaction, sent together with its COMMIT."""
        self._last_words.append(statement)

    def roll_back(self) -> None:
        """Undo all of it; well too if it is undone already."""
        self._effects.clear()
        self._connection.rollback()

    def commit(self) -> None:
        """Make all of it last."""
        _speak_last(self._connection, self._last_words)
        self._transaction.commit()

    def take_effect(self) -> None:
        """Run what was to follow the commit."""
        for effect in self._effects:
            effect()


class Database:
    """Sessions on one engine.

    Args:
        engine: the process's pool.
        on_retry: told of each transaction that is about to be run again.
        piecemeal: commit every statement by itself, so that nothing is atomic and nothing is ever undone. Unsafe: it
            exists to be measured.
    """

    def __init__(self, engine: Engine, on_retry: Callable[[], None] = lambda: None, *, piecemeal: bool = False) -> None:
        self.engine = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = self._reading if piecemeal else engine
        self._on_retry = on_retry

    def piecemeal(self) -> "Database":
        """Return a database on the same pool in which every statement commits by itself (unsafe)."""
        return Database(self.engine, self._on_retry, piecemeal=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for reads only.

        Each statement sees the newest committed state; there is no BEGIN and no ROLLBACK to pay for. Inside an
        enclosing transaction it sees what that has done so far.

        Raises:
            Unavailable: the database is away or did not answer in time.
        """
        outer = _enclosing.get()
        if outer is not None and outer.is_open:
            with _translated(), outer.session(autoflush=False) as session:
                yield session
            return
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
        except LostRace as error:
            raise Unavailable(_BUSY, retry_after=BUSY_RETRY_AFTER_S) from error

    @contextmanager
    def enclosing(self) -> Iterator[Enclosing]:
        """Open one transaction that every :meth:`transaction` and :meth:`reading` of this context joins.

        It is committed at the end of the block, unless it was rolled back before or the block raises. Effects wait for
        that commit.

        Raises:
            Unavailable: as :meth:`transaction`.
        """
        try:
            with _translated(), self.engine.connect() as connection:
                outer = Enclosing(connection)
                try:
                    with _open(outer):
                        yield outer
                        if outer.is_open:
                            outer.commit()
                except BaseException:
                    outer.roll_back()
                    raise
        except LostRace as error:
            raise Unavailable(_BUSY, retry_after=BUSY_RETRY_AFTER_S) from error
        outer.take_effect()

    @contextmanager
    def _attempt(self, isolation: str | None = None) -> Iterator[Session]:
        outer = _enclosing.get()
        if outer is not None:
            if not outer.is_open:
                raise TransactionUndone("a write after the enclosing transaction was rolled back")
            with _translated(), outer.session() as session, session.begin():
                yield session
            return
        with _translated(), Session(self._writing, expire_on_commit=False) as session:
            with _open(), session.begin():
                if isolation is not None and self._writing is self.engine:
                    session.connection(execution_options={"isolation_level": isolation})
                yield session
                if last_words := session.info.pop(_LAST_WORDS, []):
                    session.flush()
                    _speak_last(session.connection(), last_words)
            effects: list[Effect] = session.info.pop(_EFFECTS, [])
        for effect in effects:
            effect()

    @staticmethod
    def after_commit(session: Session, effect: Effect) -> None:
        """Run ``effect`` once the session's transaction is committed; never if it is not."""
        session.info.setdefault(_EFFECTS, []).append(effect)

    @staticmethod
    def with_commit(session: Session, statement: Executable) -> None:
        """Run ``statement`` as the last of the session's transaction, sent together with its COMMIT.

        It costs no round trip of its own, and so cannot return anything.
        """
        session.info.setdefault(_LAST_WORDS, []).append(statement)

    def retrying(
        self, work: Callable[[Session], T], *, isolation: str | None = None, attempts: int = RETRY_ATTEMPTS
    ) -> T:
        """Run ``work`` in a transaction, and again from its start when it lost a race.

        Args:
            work: does everything it does through the session it is given, so that it can be repeated.
            isolation: the isolation level it needs; PostgreSQL's own default if not given.
            attempts: how often it is tried at most.

        Raises:
            Unavailable: it lost every time.
        """
        for attempt in range(1, attempts + 1):
            try:
                with self._attempt(isolation) as session:
                    return work(session)
            except LostRace:
                if attempt == attempts or _enclosing.get() is not None:
                    break  # an enclosing transaction is gone as a whole, and only its owner can begin it again
            self._on_retry()
            time.sleep(random.uniform(0, min(RETRY_CAP_S, RETRY_BASE_S * 2**attempt)))  # full jitter
        raise Unavailable(_BUSY, retry_after=BUSY_RETRY_AFTER_S)


@contextmanager
def _open(outer: Enclosing | None = None) -> Iterator[None]:
    """Count a transaction as open in this context, and let others join it where it encloses them."""
    depth = _open_transactions.set(_open_transactions.get() + 1)
    enclosing = _enclosing.set(outer)
    try:
        yield
    finally:
        _enclosing.reset(enclosing)
        _open_transactions.reset(depth)


def _speak_last(connection: Connection, last_words: Sequence[Executable]) -> None:
    """Send the last statements of a transaction and its COMMIT in one packet: one round trip for all of it.

    SQLAlchemy's own commit, which follows, finds nothing left to do and sends nothing. (Committing inside psycopg's
    pipeline by its own method costs a second round trip, for leaving the pipeline.)
    """
    if not last_words:
        return
    driver: psycopg.Connection | None = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("a connection that is open has a driver's connection")
    try:
        with driver.pipeline():
            for statement in last_words:
                connection.execute(statement)
            if not driver.autocommit:
                driver.execute("COMMIT")
    except psycopg.Error as error:  # told at the pipeline's end, where SQLAlchemy does not see it
        raise DBAPIError.instance("COMMIT", None, error, psycopg.Error) from error


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
    except DBAPIError as error:
        state = sqlstate(error)
        if not isinstance(error, OperationalError) and state != FELL_SILENT:
            raise
        if state in RETRIED_SQLSTATES:
            raise LostRace from error
        if state in (LOCK_NOT_AVAILABLE, QUERY_CANCELED):
            raise Unavailable("That took too long; try again.", retry_after=BUSY_RETRY_AFTER_S) from error
        raise Unavailable("The database is away; try again.", retry_after=BUSY_RETRY_AFTER_S) from error
