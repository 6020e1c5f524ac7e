"""The calls of the last seconds, counted in slices: whole slices expire, and no single call is stored."""

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class CallCounts:
    """The number of calls, and of those that failed or were slow."""

    calls: int = 0
    failures: int = 0
    slow: int = 0

    def add(self, *, failed: bool, slow: bool) -> None:
        """Count one call."""
        self.calls += 1
        self.failures += failed
        self.slow += slow

    @property
    def failure_rate(self) -> float:
        """Return the share of failed calls, 0 to 1."""
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        """Return the share of slow calls, 0 to 1."""
        return self.slow / self.calls if self.calls else 0.0


class SlidingWindow:
    """A sliding window. It moves slice by slice, so its length varies by one slice.

    Args:
        length_s: its length in seconds.
        slices: number of slices.
    """

    def __init__(self, length_s: float, slices: int = 10) -> None:
        self._slice_s = length_s / slices
        self._slices = slices
        self._counts: deque[tuple[int, CallCounts]] = deque()

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count one call that ended at ``now``, in seconds on the caller's monotonic clock."""
        number = int(now / self._slice_s)
        if not self._counts or self._counts[-1][0] < number:
            self._counts.append((number, CallCounts()))
        self._counts[-1][1].add(failed=failed, slow=slow)

    def totals(self, now: float) -> CallCounts:
        """Return the counts of the window that ends at ``now``."""
        oldest = int(now / self._slice_s) - self._slices
        while self._counts and self._counts[0][0] <= oldest:
            self._counts.popleft()
        total = CallCounts()
        for _, counts in self._counts:
            total.calls += counts.calls
            total.failures += counts.failures
            total.slow += counts.slow
        return total

    def clear(self) -> None:
        """Remove all counts."""
        self._counts.clear()
