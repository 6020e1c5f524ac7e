"""The time one call may take: a limit, or, to be measured beside it, none."""

from contextlib import AbstractContextManager
from typing import Protocol

from shop.patterns.resilience import deadlines


class TimeLimit(Protocol):
    """Bounds the calls made inside its block."""

    def applied(self) -> AbstractContextManager[None]:
        """Return the block.

        Raises:
            DeadlineExceeded: there is no time left to begin in.
        """


class CallTimeout:
    """So many seconds a call, and never more than the request has left.

    Args:
        seconds: for one call, from connecting to the last byte.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def applied(self) -> AbstractContextManager[None]:
        """See :class:`TimeLimit`."""
        deadlines.check()
        return deadlines.within(self._seconds)


class NoTimeout:
    """As long as the other side takes. A thread waits with it, and the request's deadline counts for nothing."""

    def applied(self) -> AbstractContextManager[None]:
        """See :class:`TimeLimit`."""
        return deadlines.lifted()
