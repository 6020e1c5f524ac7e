"""The machine's clock, shifted by a test: for code beside servers that keep the machine's time."""

from datetime import datetime, timedelta

from shop.clock import SystemClock


class ShiftedClock(SystemClock):
    """Runs on, ahead of the machine's clock by so many seconds.

    Attributes:
        wall_ahead_s: of ``now()``.
        monotonic_ahead_s: of ``monotonic()``.
    """

    def __init__(self) -> None:
        self.wall_ahead_s = self.monotonic_ahead_s = 0.0

    def advance(self, seconds: float) -> None:
        """Move both by some seconds."""
        self.wall_ahead_s += seconds
        self.monotonic_ahead_s += seconds

    def now(self) -> datetime:
        """Return the machine's time, shifted."""
        return super().now() + timedelta(seconds=self.wall_ahead_s)

    def monotonic(self) -> float:
        """Return the machine's monotonic clock, shifted."""
        return super().monotonic() + self.monotonic_ahead_s
