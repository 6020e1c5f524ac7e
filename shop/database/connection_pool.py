"""A connection pool in which nobody waits for longer than somebody waits for the result.

Problem: a pool has one timeout for every wait. A request that has half a second left waits for two, holds its thread,
and gets a connection when its shopper has left.
Method: the wait ends at the caller's deadline if that is sooner than the pool's own timeout. As for a statement, there
is a grace: some transactions must be made after the deadline, for example the one that records a charge.
Source: Google, "Site Reliability Engineering", ch. 22 (deadlines).
"""

from collections.abc import Callable

from sqlalchemy.pool import QueuePool

from shop.database.connection import GRACE_S


class DeadlinePool(QueuePool):
    """SQLAlchemy's pool, which reads its timeout at the beginning of each wait."""

    time_left: Callable[[], float]
    """Returns the seconds until the caller's deadline."""

    @property
    def _timeout(self) -> float:
        return min(self._longest_wait_s, self.time_left() + GRACE_S)

    @_timeout.setter
    def _timeout(self, seconds: float) -> None:
        self._longest_wait_s = seconds

    def recreate(self) -> QueuePool:
        """Return an empty pool with the same limits: those of the pool, not of the caller."""
        pool = super().recreate()
        pool._timeout = self._longest_wait_s
        return pool


def pool_with_deadline(time_left: Callable[[], float]) -> type[DeadlinePool]:
    """Return a pool class for an engine.

    Args:
        time_left: returns the seconds until the deadline of the caller; infinite without a deadline.
    """
    return type("CallerDeadlinePool", (DeadlinePool,), {"time_left": staticmethod(time_left)})
