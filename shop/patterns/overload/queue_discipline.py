"""The order in which waiting requests are served, and how long one may wait.

Problem: a queue that only grows serves everybody late. With first in, first out at twice the capacity, each request
waits as long as the queue is; its client has left when its turn comes, and the work is lost.
Method: a discipline picks the next request and says how long a request may have waited. ``FifoDiscipline`` serves in
order of arrival, up to the longest wait. ``CodelDiscipline`` asks whether the queue is a burst or stands: as long as it
was empty within the last 0.3 seconds, requests may wait for that time; if it was not, only for 0.1 seconds. A standing
queue delays everybody and serves nobody more. It stands until nobody has been refused for 0.3 seconds: the refusals
themselves empty it again and again, and the next ones would wait for long. ``AdaptiveLifoDiscipline`` serves the newest
first as soon as a queue stands: its client is still there, and those who lose are those who would have left.
Switch: ``overload.queue``. Experiment: ``overload``.
Source: Maurer, "Fail at Scale", ACM Queue 13(8), 2015 (controlled delay for requests, adaptive LIFO); Nichols and
Jacobson, "Controlled Delay Active Queue Management", RFC 8289.
"""

import math
from typing import Protocol

INTERVAL_S = 0.3
"""A queue that was empty within this time is a burst: a page with all it loads, or a class that begins. An overload is
noticed after this time, and until then its requests wait for as long."""
TARGET_S = 0.1
"""How long a request may wait in a queue that stands: a few pages from the database."""


class QueueDiscipline(Protocol):
    """The rule of one queue."""

    def note_empty(self, now: float) -> None:
        """Learn that nothing waits."""

    def note_late(self, now: float) -> None:
        """Learn that a request's patience has ended."""

    def serves_newest(self, now: float) -> bool:
        """Return whether the newest request is next, and not the oldest."""

    def patience_s(self, now: float) -> float:
        """Return the seconds that a request may have waited."""

    def longest_queue(self, now: float, limit: int) -> float:
        """Return how many requests may wait; a further one is refused when it arrives.

        Args:
            now: seconds.
            limit: how many run at once.
        """


class FifoDiscipline:
    """The oldest first, up to the longest wait.

    Args:
        longest_wait_s: seconds.
    """

    def __init__(self, longest_wait_s: float) -> None:
        self._longest_wait_s = longest_wait_s

    def note_empty(self, now: float) -> None:
        """Learn nothing."""

    def note_late(self, now: float) -> None:
        """Learn nothing."""

    def serves_newest(self, now: float) -> bool:
        """Return that the oldest is next."""
        return False

    def patience_s(self, now: float) -> float:
        """Return the longest wait."""
        return self._longest_wait_s

    def longest_queue(self, now: float, limit: int) -> float:
        """Return that the queue has no bound of its own."""
        return math.inf


class _StandingQueue(FifoDiscipline):
    """Knows since when a queue has not been empty."""

    def __init__(self, longest_wait_s: float) -> None:
        super().__init__(longest_wait_s)
        self._last_empty = self._last_late = float("-inf")

    def note_empty(self, now: float) -> None:
        """Learn that the queue does not stand."""
        self._last_empty = now

    def note_late(self, now: float) -> None:
        """Learn that the queue stands, even if it is empty for a moment."""
        self._last_late = now

    def _stands(self, now: float) -> bool:
        return now - self._last_empty > INTERVAL_S or now - self._last_late < INTERVAL_S


class CodelDiscipline(_StandingQueue):
    """The oldest first; in a queue that stands, a request may wait for a short time only.

    Args:
        longest_wait_s: seconds, for any queue.
    """

    def patience_s(self, now: float) -> float:
        """Return the short time for a queue that stands."""
        return min(self._longest_wait_s, TARGET_S if self._stands(now) else INTERVAL_S)

    def longest_queue(self, now: float, limit: int) -> float:
        """Return as many as run at once, for a queue that stands: a further one would wait for too long."""
        return limit if self._stands(now) else math.inf


class AdaptiveLifoDiscipline(_StandingQueue):
    """The newest first while the queue stands, else the oldest; up to the longest wait.

    Args:
        longest_wait_s: seconds.
    """

    def serves_newest(self, now: float) -> bool:
        """Return whether the queue stands."""
        return self._stands(now)
