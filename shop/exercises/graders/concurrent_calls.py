"""Calls of an attempt that run at the same time, on a real PostgreSQL.

A check does not hope that two transactions meet. It keeps the first one open, starts the second call in a thread, and
goes on as soon as that call has returned or waits for a lock. PostgreSQL itself tells which: it lists the state of each
session in ``pg_stat_activity``.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

POLL_S = 0.003
MAX_POLLS = 250
"""Polls after which a call counts as waiting, although it does not wait for PostgreSQL. A count and no time: on a busy
machine each poll takes longer."""
JOIN_S, MAX_JOINS = 0.05, 50
"""Waits after which a call does not return any more: less than the process that runs the checks grants a call."""
_WAITS = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid AND wait_event_type = 'Lock'")


class ProcessDied(BaseException):
    """The end of the process, for a check; not an ``Exception``, so that the attempt does not catch it."""


class WatchedDatabase:
    """Transactions on one engine, of which a check knows statements, commits, and the session of each thread.

    Args:
        engine: on a schema of the check's own.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.commits_left: int | None = None
        """After so many commits, the next statement ends in :class:`ProcessDied`; ``None`` for never."""
        self._pids: dict[int, int] = {}
        self._statements: dict[int, list[str]] = {}
        self._listeners = (
            (engine, "checkout", self._note_session),
            (engine, "before_cursor_execute", self._note_statement),
            (engine, "commit", self._note_commit),
        )
        for target, name, listener in self._listeners:
            event.listen(target, name, listener)

    def close(self) -> None:
        """Stop watching."""
        for target, name, listener in self._listeners:
            event.remove(target, name, listener)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a transaction: committed at the end of the block, rolled back if the block raises."""
        with Session(self.engine, expire_on_commit=False) as session:
            try:
                yield session
                session.commit()
            except BaseException:
                session.rollback()
                raise

    def execute(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement of the check itself in a transaction of its own; return its rows."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT", is_check=True) as connection:
            result = connection.execute(text(statement), parameters)
            return [tuple(row) for row in result] if result.returns_rows else []

    def statements(self, thread: int | None = None) -> list[str]:
        """Return the first words of the statements that a thread has run.

        Args:
            thread: its identifier; this one by default.
        """
        return self._statements.get(thread or threading.get_ident(), [])

    def forget_statements(self) -> None:
        """Begin the record of statements anew."""
        self._statements.clear()

    def waits_for_a_lock(self, thread: int) -> bool:
        """Return whether a thread's session waits for a lock of PostgreSQL.

        Args:
            thread: its identifier.
        """
        pid = self._pids.get(thread)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT", is_check=True) as connection:
            return pid is not None and bool(connection.scalar(_WAITS, {"pid": pid}))

    def _note_session(self, connection: Any, *_: Any) -> None:
        self._pids[threading.get_ident()] = connection.info.backend_pid

    def _note_statement(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if connection.get_execution_options().get("is_check"):
            return
        if self.commits_left is not None and self.commits_left <= 0:
            raise ProcessDied
        self._statements.setdefault(threading.get_ident(), []).append(statement.split(None, 1)[0].upper())

    def _note_commit(self, connection: Any) -> None:
        if self.commits_left is not None and not connection.get_execution_options().get("is_check"):
            self.commits_left -= 1


class ConcurrentCall:
    """A call in a thread of its own, begun at once.

    Args:
        database: on which the call works.
        call: without arguments.
    """

    def __init__(self, database: WatchedDatabase, call: Callable[[], Any]) -> None:
        self._database = database
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="concurrent-call", daemon=True)
        self._thread.start()

    def settle(self) -> bool:
        """Wait until the call has returned, or waits for a lock; return whether it has returned."""
        for _ in range(MAX_POLLS):
            self._thread.join(POLL_S)
            if not self._thread.is_alive():
                return True
            if self._database.waits_for_a_lock(self.thread):
                return False
        return not self._thread.is_alive()

    @property
    def thread(self) -> int:
        """Return the identifier of its thread."""
        return self._thread.ident or 0

    @property
    def has_returned(self) -> bool:
        """Return whether the call has ended within the time that a call has."""
        for _ in range(MAX_JOINS):
            self._thread.join(JOIN_S)
            if not self._thread.is_alive():
                return True
        return False

    def result(self) -> Any:
        """Return the value of a call that has returned.

        Raises:
            BaseException: the call raised it.
        """
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asks for the result
            self._error = error
