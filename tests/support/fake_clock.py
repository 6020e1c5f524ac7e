"""A clock that stands still until it is moved."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class HandClock:
    """Time as a test wants it; both faces move together."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds

    def now(self) -> datetime:
        """See :class:`shop.clock.Clock`."""
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """See :class:`shop.clock.Clock`."""
        return self.seconds
