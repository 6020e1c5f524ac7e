"""A clock of the store that reads the time of an exercise's check."""

from collections.abc import Callable
from datetime import UTC, datetime


class HandedInClock:
    """A clock of the store that reads the seconds of another one.

    Args:
        seconds: reads them.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.monotonic = seconds

    def now(self) -> datetime:
        """Return a fixed time."""
        return datetime(2026, 1, 1, tzinfo=UTC)
