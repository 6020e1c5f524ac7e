"""The calls of the last few seconds, counted in slices, so that old ones leave without being kept one by one."""

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class CallCounts:
    """How many calls, and how they went."""

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
        """Return the share that failed, 0 to 1."""
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        """Return the share that was slow, 0 to 1."""
        return self.slow / self.calls if self.calls else 0.0


class SlidingWindow:
    """A sliding window. It moves by slices, so what it covers varies by one of them.

    Args:
        length_s: seconds it covers.
        slices: how many parts it moves by.
    """

    def __init__(self, length_s: float, slices: int = 10) -> None:
        self._slice_s = length_s / slices
        self._slices = slices
        self._counted: deque[tuple[int, CallCounts]] = deque()

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count one call that ended at ``now``, in seconds on the caller's monotonic clock."""
        number = int(now / self._slice_s)
        if not self._counted or self._counted[-1][0] < number:
            self._counted.append((number, CallCounts()))
        self._counted[-1][1].add(failed=failed, slow=slow)

    def totals(self, now: float) -> CallCounts:
        """Return the sums of what the window covers at ``now``."""
        oldest = int(now / self._slice_s) - self._slices
        while self._counted and self._counted[0][0] <= oldest:
            self._counted.popleft()
        total = CallCounts()
        for _, counts in self._counted:
            total.calls += counts.calls
            total.failures += counts.failures
            total.slow += counts.slow
        return total

    def clear(self) -> None:
        """Forget everything."""
        self._counted.clear()
