"""The system clock, shifted by a test: for code that works with servers on the real time."""

from datetime import datetime, timedelta

from shop.clock import SystemClock


class ShiftedClock(SystemClock):
    """The system clock plus a number of seconds.

    Attributes:
        wall_ahead_s: of ``now()``.
        monotonic_ahead_s: of ``monotonic()``.
    """

    def __init__(self) -> None:
        self.wall_ahead_s = self.monotonic_ahead_s = 0.0

    def advance(self, seconds: float) -> None:
        """Advance both clocks by some seconds."""
        self.wall_ahead_s += seconds
        self.monotonic_ahead_s += seconds

    def now(self) -> datetime:
        """Return the shifted time."""
        return super().now() + timedelta(seconds=self.wall_ahead_s)

    def monotonic(self) -> float:
        """Return the shifted monotonic time."""
        return super().monotonic() + self.monotonic_ahead_s
