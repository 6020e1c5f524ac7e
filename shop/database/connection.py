"""A connection to PostgreSQL on which no wait is endless and no COMMIT is hollow.

Problem: a server that hangs, or a network that lost it, ends no statement: ``statement_timeout`` is the server's own,
and its kernel goes on acknowledging, so ``tcp_user_timeout`` does not run either. And where a failed statement's error
was swallowed, COMMIT is answered by ROLLBACK and no error: the block ends well, and nothing is stored.
Method: each wait for the server ends when the caller's time is up, or when the server should long have ended the
statement itself; the socket is then closed and the connection never used again. Whether a COMMIT that was cut was
carried out is not known: it is settled as after a crash. Before a COMMIT the driver is asked, without a round trip,
whether the transaction is broken.
Source: Google, "Site Reliability Engineering", ch. 22 (deadlines); PostgreSQL manual, 54.2.2 (transaction status).
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast

import psycopg
from psycopg import Transaction
from psycopg.abc import PQGen, PQGenConn
from psycopg.errors import _WaitTimeout
from psycopg.pq import TransactionStatus

RV = TypeVar("RV")

LIMITS = ["statement_timeout", "lock_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"]
"""The server's. Of ``transaction_timeout`` it knows from PostgreSQL 17."""
LIFT = "SELECT set_config(name, '0', %s) FROM pg_settings WHERE name = ANY(%s)"
GRACE_S = 0.5
"""What a statement gets beyond its limit. One begun past the request's deadline, such as those that settle what was
charged, gets this and no more."""
SIGNALS_EVERY_S = 0.1
"""How often a wait looks for signals, such as Ctrl-C."""
_connect_until: ContextVar[float] = ContextVar("connect_until", default=math.inf)
"""Reading of the monotonic clock at which the connection being opened is given up."""


class TransactionAborted(RuntimeError):
    """A programming error: a statement failed, its error was swallowed, and the block was to be committed.

    PostgreSQL has undone the transaction at that statement. Let the error leave the block, or put the statement into a
    savepoint (``session.begin_nested()``).
    """


def require_unbroken(connection: psycopg.Connection[Any]) -> None:
    """Refuse to commit what PostgreSQL has undone; asks the driver, not the server.

    Raises:
        TransactionAborted: a statement of the open transaction has failed.
    """
    if connection.info.transaction_status is TransactionStatus.INERROR:
        raise TransactionAborted(
            "a statement of this transaction failed and its error was swallowed: nothing is stored"
        )


@dataclass(frozen=True, slots=True)
class WaitLimit:
    """How long a connection waits for its server.

    Args:
        statement_s: seconds after which the server itself ends a statement.
        time_left: returns the seconds the caller has; infinite where nobody waits.
    """

    statement_s: float
    time_left: Callable[[], float] = lambda: math.inf

    def seconds(self) -> float:
        """Return how long a wait that begins now may take."""
        return min(self.statement_s, self.time_left()) + GRACE_S


class StoreConnection(psycopg.Connection[Any]):
    """See the module.

    Attributes:
        wait_limit: bounds each wait; none by default, as for migrations and loads.
    """

    wait_limit: WaitLimit | None = None
    _unlimited = False

    def wait(self, gen: PQGen[RV], interval: float = SIGNALS_EVERY_S, timeout: float | None = None) -> RV:
        """Wait for the server, as psycopg does, within the limit.

        Raises:
            OperationalError: the time is up; the connection is closed.
        """
        if timeout is None and self.wait_limit is not None and not self._unlimited:
            timeout = self.wait_limit.seconds()
        try:
            return super().wait(gen, interval, timeout)
        except _WaitTimeout:
            self.pgconn.finish()  # what the server has of it, it may still carry out
            raise psycopg.OperationalError(f"the database did not answer within {timeout:.1f} s") from None

    def commit(self) -> None:
        """Commit, unless nothing is left to be committed.

        Raises:
            TransactionAborted: see there.
        """
        require_unbroken(self)
        super().commit()
        self._unlimited = False

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:  # noqa: FBT001, FBT002 - as psycopg has it
        """Open psycopg's own block, and end it as :meth:`commit` would.

        Raises:
            TransactionAborted: see there.
        """
        with super().transaction(savepoint_name, force_rollback) as opened:
            yield opened
            require_unbroken(self)

    def rollback(self) -> None:
        """Roll back."""
        super().rollback()
        self._unlimited = False

    def lift_limits(self, *, for_good: bool = False) -> None:
        """Let statements, and the transaction itself, take as long as they do, here and at the server.

        Args:
            for_good: in all of the session, and not only until the end of the transaction.
        """
        self.execute(LIFT, (not for_good, LIMITS))
        self._unlimited = True
        if for_good:
            self.wait_limit = None

    @classmethod
    def open(cls, *given: Any, wait_limit: WaitLimit | None = None, **named: Any) -> Self:
        """Connect, if there is time for it; parameters as of ``psycopg.connect``, and the limit of all that follows.

        Raises:
            OperationalError: the server does not answer, or the caller's time is up.
        """
        left_s = math.inf if wait_limit is None else wait_limit.time_left()
        if left_s <= 0:
            raise psycopg.OperationalError("there is no time left to open a connection")
        token = _connect_until.set(time.monotonic() + left_s)
        try:
            connection = cls.connect(*given, **named)
        finally:
            _connect_until.reset(token)
        connection.wait_limit = wait_limit
        return connection

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        """Connect as psycopg does, step by step, and stop when the caller's time is up.

        ``connect_timeout`` cannot do it: it takes whole seconds, at least two, for each of the server's addresses.
        """
        until, steps = _connect_until.get(), super()._connect_gen(conninfo)
        try:
            wanted = next(steps)
            while time.monotonic() < until:
                wanted = steps.send((yield wanted))
        except StopIteration as connected:
            return cast(Self, connected.value)
        raise psycopg.OperationalError("the database did not answer before the caller's time was up")
