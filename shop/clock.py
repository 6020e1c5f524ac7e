"""The clock, as a dependency that is handed in.

No other module reads the machine's time, so a test can use a clock that stands still.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """Return the wall-clock time, timezone-aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back; only differences have a meaning."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic clock in seconds."""
        return time.monotonic()


class FakeClock:
    """A clock that stands still until :meth:`advance` is called: for tests and for repeatable examples.

    Args:
        now: the wall-clock time at the beginning.
    """

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = now
        self._seconds = 0.0

    def now(self) -> datetime:
        """Return the current time of this clock."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds by which it was advanced so far."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by so many seconds."""
        self._now += timedelta(seconds=seconds)
        self._seconds += seconds
