"""Explicit transactions.

Problem: a change to several records must happen completely or not at all. Its effects (a purged cache, a queued
message) must not happen without it.
Method: all writes run in a transaction that the caller opens: in a block, ``with database.transaction() as session``,
or in a function, :meth:`Database.run_in_transaction`. Hooks that are registered with :meth:`Database.after_commit` run
after the commit. If the error of a failed statement is swallowed inside the block, the block ends with
:class:`TransactionAborted`. A transaction may lose a race (SQLSTATE 40001) or a deadlock (40P01). Then the function
runs again from its start, with full jitter; a block cannot run again, so it raises :class:`ServiceUnavailable`. A call
to another server inside a transaction is refused: the transaction would hold its locks for as long as that server
takes. To make several transactions one, a caller opens :meth:`Database.enclosing` around them; each of them joins it.
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
from shop.database.pipelined_commit import PipelinedStatement, commit_pipelined

T = TypeVar("T")
AfterCommitHook = Callable[[], None]

RETRY_ATTEMPTS = 5
RETRY_BACKOFF = ExponentialBackoff(base_s=0.02, cap_s=0.25)

_open_transactions: ContextVar[int] = ContextVar("open_transactions", default=0)
_enclosing: ContextVar["OuterTransaction | None"] = ContextVar("enclosing_transaction", default=None)
_HOOKS = "shop.after_commit"
_DEFERRED = "shop.with_commit"


class ExternalCallInTransaction(RuntimeError):
    """A programming error: another server was called while a transaction was open."""


class TransactionRolledBack(RuntimeError):
    """A programming error: a write after the enclosing transaction was rolled back."""


def refuse_in_transaction(server: str) -> None:
    """Refuse an external call inside an open transaction of this context.

    Args:
        server: its name, for the message.

    Raises:
        ExternalCallInTransaction: a transaction is open.
    """
    if _open_transactions.get():
        raise ExternalCallInTransaction(f"{server} was called inside an open transaction")


class OuterTransaction:
    """One transaction that all blocks of a context join.

    A block that raises rolls back the whole transaction and not only its own part: a savepoint around each block would
    cost two round trips. Writes after the rollback are refused.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transaction = connection.begin()
        self._hooks: list[AfterCommitHook] = []
        self._deferred: list[PipelinedStatement] = []

    @property
    def is_open(self) -> bool:
        """Return whether the transaction can still be committed."""
        return self._transaction.is_active

    @contextmanager
    def session(self, *, autoflush: bool = True) -> Iterator[Session]:
        """Open a separate session inside the transaction."""
        with Session(
            self._connection, expire_on_commit=False, autoflush=autoflush, join_transaction_mode="rollback_only"
        ) as session:
            yield session
            driver = self._connection.connection.driver_connection
            if driver is not None:  # checked here, so that the block in which the error was swallowed fails
                require_unbroken(driver)
            self._hooks += session.info.pop(_HOOKS, [])
            self._deferred += session.info.pop(_DEFERRED, [])

    def execute_with_commit(self, statement: PipelinedStatement) -> None:
        """Run a statement at the end of the transaction, sent together with its COMMIT."""
        self._deferred.append(statement)

    def roll_back(self) -> None:
        """Undo the whole transaction; a second call does nothing."""
        self._hooks.clear()
        self._connection.rollback()

    def commit(self) -> None:
        """Commit the whole transaction."""
        commit_pipelined(self._connection, self._deferred)
        self._transaction.commit()

    def run_after_commit_hooks(self) -> None:
        """Run the hooks that the blocks have registered."""
        for hook in self._hooks:
            hook()


class Database:
    """Sessions on one engine.

    Args:
        engine: the process's pool.
        on_retry: called before a transaction runs again.
        autocommit: whether each statement commits alone, so that nothing is atomic and nothing is rolled back. Unsafe:
            it exists for measurements.
    """

    def __init__(
        self, engine: Engine, on_retry: Callable[[], None] = lambda: None, *, autocommit: bool = False
    ) -> None:
        self.engine = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = self._reading if autocommit else engine
        self._on_retry = on_retry

    def autocommit(self) -> "Database":
        """Return a database on the same pool in which each statement commits alone (unsafe)."""
        return Database(self.engine, self._on_retry, autocommit=True)

    def require_usable(self) -> None:
        """Connect once at a process's start; an unreachable database is no error, because it may return.

        Raises:
            ConfigurationError: the database is not in UTF-8, or a pooler gives clients no session of their own.
        """
        with suppress(OperationalError), self.engine.connect():
            pass

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for reads only.

        Each statement sees the newest committed state, and there is no BEGIN and no ROLLBACK. Inside an enclosing
        transaction it sees the writes of that transaction.

        Raises:
            ServiceUnavailable: the database did not answer, or not in time.
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
        """Open a session whose work is committed at the end of the block, or rolled back if the block raises.

        Raises:
            ServiceUnavailable: the database did not answer, a lock or statement timed out, or a race was lost.
            TransactionAborted: a statement failed, and its error was swallowed inside the block.
        """
        try:
            with self._attempt() as session:
                yield session
        except TransactionConflict as error:
            raise busy_error() from error

    @contextmanager
    def enclosing(self) -> Iterator[OuterTransaction]:
        """Open one transaction that every :meth:`transaction` and :meth:`reading` of this context joins.

        It is committed at the end of the block, unless it was rolled back before or the block raises. Hooks run after
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
            hooks: list[AfterCommitHook] = session.info.pop(_HOOKS, [])
        for hook in hooks:
            hook()

    @staticmethod
    def after_commit(session: Session, hook: AfterCommitHook) -> None:
        """Run a hook after the session's transaction is committed; never if it is rolled back."""
        session.info.setdefault(_HOOKS, []).append(hook)

    @staticmethod
    def execute_with_commit(session: Session, statement: PipelinedStatement) -> None:
        """Run a statement at the end of the session's transaction, sent together with its COMMIT.

        It costs no round trip of its own, so it cannot return a result.
        """
        session.info.setdefault(_DEFERRED, []).append(statement)

    def run_in_transaction(
        self, work: Callable[[Session], T], *, isolation: str | None = None, attempts: int = RETRY_ATTEMPTS
    ) -> T:
        """Run ``work`` in a transaction, and again from its start if it lost a race.

        Args:
            work: it must be repeatable, so it changes nothing except through its session.
            isolation: the isolation level; PostgreSQL's default if ``None``.
            attempts: the most attempts.

        Raises:
            ServiceUnavailable: every attempt lost a race.
        """
        for attempt in range(1, attempts + 1):
            try:
                with self._attempt(isolation) as session:
                    return work(session)
            except TransactionConflict:
                if attempt == attempts or _enclosing.get() is not None:
                    break  # the whole enclosing transaction is rolled back, and only its owner can begin it again
            self._on_retry()
            time.sleep(RETRY_BACKOFF.full_jitter_s(attempt))
        raise busy_error()


@contextmanager
def _open(outer: OuterTransaction | None = None) -> Iterator[None]:
    """Count a transaction as open in this context; later blocks join ``outer``, if it is given."""
    depth = _open_transactions.set(_open_transactions.get() + 1)
    enclosing = _enclosing.set(outer)
    try:
        yield
    finally:
        _enclosing.reset(enclosing)
        _open_transactions.reset(depth)
