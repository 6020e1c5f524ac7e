"""The time that one call may take: a limit, or no limit for comparison."""

from contextlib import AbstractContextManager
from typing import Protocol

from shop.patterns.resilience import deadlines


class TimeLimit(Protocol):
    """Limits the time of the calls inside its block."""

    def applied(self) -> AbstractContextManager[None]:
        """Return the block.

        Raises:
            DeadlineExceeded: there is no time left.
        """


class CallTimeout:
    """A number of seconds for each call, and never more than the request's remaining time.

    Args:
        seconds: for one call, from the connect to the last byte.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def applied(self) -> AbstractContextManager[None]:
        """See :class:`TimeLimit`."""
        deadlines.check()
        return deadlines.within(self._seconds)


class NoTimeout:
    """No limit: a thread waits as long as the other server takes, and the request's deadline is ignored."""

    def applied(self) -> AbstractContextManager[None]:
        """See :class:`TimeLimit`."""
        return deadlines.lifted()
