"""Transactions, said out loud.

Problem: a change that touches several records must happen whole or not at all, and what follows from it (a purged
cache, a queued message) must not happen when it did not.
Method: ``with database.transaction() as session`` is the only way to write. The caller owns the session; effects
registered with :meth:`Database.after_commit` run once the commit has returned. Where the error of a failed statement
was swallowed inside the block, the block ends with :class:`TransactionAborted`. A transaction that lost a race
(SQLSTATE 40001) or a deadlock (40P01) is run again from its start, with full jitter. An external call inside one is
refused where it is made: it would hold locks for as long as somebody else's server likes.
A caller who must have several such blocks be one transaction opens :meth:`Database.enclosing` around them: each then
joins it, whoever wrote it.
Source: Cosmic Python ch. 6; PostgreSQL manual 13.5; AWS Builders' Library, "Timeouts, retries and backoff with jitter".
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shop.backoff import ExponentialBackoff
from shop.database.connection import require_unbroken
from shop.database.errors import TransactionConflict, busy_error, translate_db_errors
from shop.database.pipelined_commit import DeferredStatement, commit_pipelined

T = TypeVar("T")
AfterCommitHook = Callable[[], None]

RETRY_ATTEMPTS = 5
RETRY_BACKOFF = ExponentialBackoff(base_s=0.02, cap_s=0.25)

_open_transactions: ContextVar[int] = ContextVar("open_transactions", default=0)
_enclosing: ContextVar["OuterTransaction | None"] = ContextVar("enclosing_transaction", default=None)
_EFFECTS = "shop.after_commit"
_DEFERRED = "shop.with_commit"


class ExternalCallInTransaction(RuntimeError):
    """A programming error: an outside server was called while a transaction was open."""


class TransactionRolledBack(RuntimeError):
    """A programming error: something was to be written after the enclosing transaction had been rolled back."""


def refuse_in_transaction(what: str) -> None:
    """Stop an external call that would be made inside an open transaction of this context.

    Raises:
        ExternalCallInTransaction: a transaction is open.
    """
    if _open_transactions.get():
        raise ExternalCallInTransaction(f"{what} was called inside an open transaction")


class OuterTransaction:
    """One transaction that all blocks of a context join.

    A block that raises rolls back all of it, not only its own part: a savepoint around each would cost two round
    trips. What is done after that is refused if it writes.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transaction = connection.begin()
        self._effects: list[AfterCommitHook] = []
        self._deferred: list[DeferredStatement] = []

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
            self._require_unbroken()
            self._effects += session.info.pop(_EFFECTS, [])
            self._deferred += session.info.pop(_DEFERRED, [])

    def _require_unbroken(self) -> None:
        """Refuse at the end of the block in which the error was swallowed, not only at the end of all of them."""
        driver = self._connection.connection.driver_connection
        if driver is not None:
            require_unbroken(driver)

    def execute_with_commit(self, word: DeferredStatement) -> None:
        """Run a statement as the last of the transaction, sent together with its COMMIT."""
        self._deferred.append(word)

    def roll_back(self) -> None:
        """Undo all of it; well too if it is undone already."""
        self._effects.clear()
        self._connection.rollback()

    def commit(self) -> None:
        """Make all of it last."""
        commit_pipelined(self._connection, self._deferred)
        self._transaction.commit()

    def run_after_commit_hooks(self) -> None:
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

    def autocommit(self) -> "Database":
        """Return a database on the same pool in which every statement commits by itself (unsafe)."""
        return Database(self.engine, self._on_retry, piecemeal=True)

    def require_usable(self) -> None:
        """Connect once, at a process's start: a database that can never be used ends it, one that is away does not.

        Raises:
            ConfigurationError: it is not in UTF-8, or behind a pooler that gives no session of one's own.
        """
        with suppress(OperationalError), self.engine.connect():
            pass

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for reads only.

        Each statement sees the newest committed state; there is no BEGIN and no ROLLBACK to pay for. Inside an
        enclosing transaction it sees what that has done so far.

        Raises:
            ServiceUnavailable: the database is away or did not answer in time.
        """
        outer = _enclosing.get()
        if outer is not None and outer.is_open:
            with translate_db_errors(), outer.session(autoflush=False) as session:
                yield session
            return
        with translate_db_errors(), Session(self._reading, autoflush=False) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session whose work is committed at the end of the block, or rolled back if it raises.

        Raises:
            ServiceUnavailable: the database is away, a lock or statement timeout was met, or a race was lost.
            TransactionAborted: a statement failed and its error was swallowed inside the block.
        """
        try:
            with self._attempt() as session:
                yield session
        except TransactionConflict as error:
            raise busy_error() from error

    @contextmanager
    def enclosing(self) -> Iterator[OuterTransaction]:
        """Open one transaction that every :meth:`transaction` and :meth:`reading` of this context joins.

        It is committed at the end of the block, unless it was rolled back before or the block raises. Effects wait for
        that commit.

        Raises:
            ServiceUnavailable: as :meth:`transaction`.
        """
        try:
            with translate_db_errors(), self.engine.connect() as connection:
                outer = OuterTransaction(connection)
                try:
                    with _open(outer):
                        yield outer
                        if outer.is_open:
                            outer.commit()
                except BaseException:
                    outer.roll_back()
                    raise
        except TransactionConflict as error:
            raise busy_error() from error
        outer.run_after_commit_hooks()

    @contextmanager
    def _attempt(self, isolation: str | None = None) -> Iterator[Session]:
        outer = _enclosing.get()
        if outer is not None:
            if not outer.is_open:
                raise TransactionRolledBack("a write after the enclosing transaction was rolled back")
            with translate_db_errors(), outer.session() as session, session.begin():
                yield session
            return
        with translate_db_errors(), Session(self._writing, expire_on_commit=False) as session:
            with _open(), session.begin():
                if isolation is not None and self._writing is self.engine:
                    session.connection(execution_options={"isolation_level": isolation})
                yield session
                if statements := session.info.pop(_DEFERRED, []):
                    session.flush()
                    commit_pipelined(session.connection(), statements)
            effects: list[AfterCommitHook] = session.info.pop(_EFFECTS, [])
        for effect in effects:
            effect()

    @staticmethod
    def after_commit(session: Session, effect: AfterCommitHook) -> None:
        """Run ``effect`` once the session's transaction is committed; never if it is not."""
        session.info.setdefault(_EFFECTS, []).append(effect)

    @staticmethod
    def execute_with_commit(session: Session, word: DeferredStatement) -> None:
        """Run a statement as the last of the session's transaction, sent together with its COMMIT.

        It costs no round trip of its own, and so cannot return anything.
        """
        session.info.setdefault(_DEFERRED, []).append(word)

    def run_in_transaction(
        self, work: Callable[[Session], T], *, isolation: str | None = None, attempts: int = RETRY_ATTEMPTS
    ) -> T:
        """Run ``work`` in a transaction, and again from its start when it lost a race.

        Args:
            work: does everything it does through the session it is given, so that it can be repeated.
            isolation: the isolation level it needs; PostgreSQL's own default if not given.
            attempts: how often it is tried at most.

        Raises:
            ServiceUnavailable: it lost every time.
        """
        for attempt in range(1, attempts + 1):
            try:
                with self._attempt(isolation) as session:
                    return work(session)
            except TransactionConflict:
                if attempt == attempts or _enclosing.get() is not None:
                    break  # an enclosing transaction is gone as a whole, and only its owner can begin it again
            self._on_retry()
            time.sleep(RETRY_BACKOFF.full_jitter_s(attempt))
        raise busy_error()


@contextmanager
def _open(outer: OuterTransaction | None = None) -> Iterator[None]:
    """Count a transaction as open in this context, and let others join it where it encloses them."""
    depth = _open_transactions.set(_open_transactions.get() + 1)
    enclosing = _enclosing.set(outer)
    try:
        yield
    finally:
        _enclosing.reset(enclosing)
        _open_transactions.reset(depth)
