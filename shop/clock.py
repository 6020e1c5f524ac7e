"""Time, as something that is handed in.

Nothing else in the store asks the machine for the time, so a test can hold it still.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Return the wall-clock time, timezone-aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean anything."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic clock in seconds."""
        return time.monotonic()


class FakeClock:
    """A clock that stands still until it is told to go on: for tests, and for examples that must come out the same.

    Args:
        now: the wall-clock time it begins with.
    """

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = now
        self._seconds = 0.0

    def now(self) -> datetime:
        """Return the time it was told."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds it was told to go on, so far."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Go on by so many seconds."""
        self._now += timedelta(seconds=seconds)
        self._seconds += seconds
