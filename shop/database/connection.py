"""A connection to PostgreSQL with a limit for every wait, which commits no aborted transaction.

Problem: if the server hangs, or the network to it is lost, a statement never ends. ``statement_timeout`` is enforced by
the server itself, and ``tcp_user_timeout`` does not help, because the server's kernel still acknowledges packets. And
if the error of a failed statement was swallowed, the server answers COMMIT with ROLLBACK and without an error: the
block ends normally, and nothing is stored.
Method: each wait for the server ends at the caller's deadline, or when the server should have ended the statement. Then
the socket is closed and the connection is not used again. The client cannot know if an interrupted COMMIT was executed;
the work is recovered as after a crash. Before a COMMIT the driver tells, without a round trip, whether the transaction
is aborted.
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
"""The server's own limits; ``transaction_timeout`` exists since PostgreSQL 17."""
LIFT = "SELECT set_config(name, '0', %s) FROM pg_settings WHERE name = ANY(%s)"
GRACE_S = 0.5
"""Seconds that the client waits beyond the limit of a statement. Some statements begin after the request's deadline,
for example the one that records a charge: they have only these seconds."""
SIGNALS_EVERY_S = 0.1
"""Interval at which a wait checks for signals, such as Ctrl-C."""
_connect_until: ContextVar[float] = ContextVar("connect_until", default=math.inf)
"""Time of the monotonic clock at which the attempt to connect ends."""


class TransactionAborted(RuntimeError):
    """A programming error: a statement failed, its error was swallowed, and the block would have been committed.

    PostgreSQL has aborted the transaction at that statement. Let the error leave the block, or put the statement into a
    savepoint (``session.begin_nested()``).
    """


def require_unbroken(connection: psycopg.Connection[Any]) -> None:
    """Refuse to commit a transaction that PostgreSQL has aborted; this asks the driver and not the server.

    Raises:
        TransactionAborted: a statement of the open transaction has failed.
    """
    if connection.info.transaction_status is TransactionStatus.INERROR:
        raise TransactionAborted(
            "a statement of this transaction failed and its error was swallowed: nothing is stored"
        )


@dataclass(frozen=True, slots=True)
class WaitLimit:
    """The longest wait of a connection for its server.

    Args:
        statement_s: seconds after which the server itself ends a statement.
        time_left: returns the seconds until the caller's deadline; infinite without a deadline.
    """

    statement_s: float
    time_left: Callable[[], float] = lambda: math.inf

    def seconds(self) -> float:
        """Return the longest time of a wait that begins now."""
        return min(self.statement_s, self.time_left()) + GRACE_S


class StoreConnection(psycopg.Connection[Any]):
    """See the module.

    Attributes:
        wait_limit: bounds each wait; none by default, as for migrations and loads.
    """

    wait_limit: WaitLimit | None = None
    _unlimited = False

    def wait(self, gen: PQGen[RV], interval: float = SIGNALS_EVERY_S, timeout: float | None = None) -> RV:
        """Wait for the server like psycopg, but within the limit.

        Raises:
            OperationalError: the limit has passed; the connection is closed.
        """
        if timeout is None and self.wait_limit is not None and not self._unlimited:
            timeout = self.wait_limit.seconds()
        try:
            return super().wait(gen, interval, timeout)
        except _WaitTimeout:
            self.pgconn.finish()  # the server may still execute the statement
            raise psycopg.OperationalError(f"the database did not answer within {timeout:.1f} s") from None

    def commit(self) -> None:
        """Commit the transaction.

        Raises:
            TransactionAborted: PostgreSQL has aborted the transaction.
        """
        require_unbroken(self)
        super().commit()
        self._unlimited = False

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:  # noqa: FBT001, FBT002 - psycopg's signature
        """Open psycopg's own block, and check at its end like :meth:`commit`.

        Raises:
            TransactionAborted: PostgreSQL has aborted the transaction.
        """
        with super().transaction(savepoint_name, force_rollback) as opened:
            yield opened
            require_unbroken(self)

    def rollback(self) -> None:
        """Roll back."""
        super().rollback()
        self._unlimited = False

    def lift_limits(self, *, for_good: bool = False) -> None:
        """Remove the limits of statements and of the transaction, here and at the server.

        Args:
            for_good: for the whole session, and not only until the end of the transaction.
        """
        self.execute(LIFT, (not for_good, LIMITS))
        self._unlimited = True
        if for_good:
            self.wait_limit = None

    @classmethod
    def open(cls, *arguments: Any, wait_limit: WaitLimit | None = None, **options: Any) -> Self:
        """Connect within the limit, which also applies to every later wait; other arguments as ``psycopg.connect``.

        Raises:
            OperationalError: the server does not answer, or the caller's deadline has passed.
        """
        left_s = math.inf if wait_limit is None else wait_limit.time_left()
        if left_s <= 0:
            raise psycopg.OperationalError("there is no time left to open a connection")
        token = _connect_until.set(time.monotonic() + left_s)
        try:
            connection = cls.connect(*arguments, **options)
        finally:
            _connect_until.reset(token)
        connection.wait_limit = wait_limit
        return connection

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        """Connect like psycopg, step by step, and stop at the caller's deadline.

        ``connect_timeout`` is not enough: it allows whole seconds, at least two, for each of the server's addresses.
        """
        until, steps = _connect_until.get(), super()._connect_gen(conninfo)
        try:
            wait = next(steps)
            while time.monotonic() < until:
                wait = steps.send((yield wait))
        except StopIteration as connected:
            return cast(Self, connected.value)
        raise psycopg.OperationalError("the database did not answer before the caller's deadline")
