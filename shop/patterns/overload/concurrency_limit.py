"""How many requests of a process run at once: a limit that follows what they take.

Problem: a fixed number of threads is right for one mix of requests on one machine. Above the right number each further
request slows all others down, so the store serves fewer in time the more it begins.
Method: ``GradientLimit`` compares what requests take now with what one takes that runs alone in its process. While both
are about the same, the limit rises slowly; if requests take longer, it falls in proportion. Under overload no request
runs alone, so the comparison does not get used to it. ``AimdLimit`` needs no comparison: it rises by one after
as many good requests as the limit, and falls by a tenth after a slow one, as TCP does. Both rise only while the limit
is in use: an idle process proves nothing.
Switch: ``overload.shedding``. Experiment: ``overload``.
Source: Netflix, "Performance Under Load" (2018); Envoy, "Adaptive Concurrency"; Chiu and Jain, "Analysis of the
Increase and Decrease Algorithms for Congestion Avoidance" (1989).
"""

import math
from typing import Protocol

MIN_LIMIT = 2
"""One slow request must not stop a process."""
WINDOW = 10
"""Requests whose times make one reading; fewer would follow chance, more would notice late."""
ALONE_SHARE = 0.05
"""Weight of the newest request that ran alone in the average of all of them: it forgets after some twenty."""
TOLERANCE = 1.5
"""How much longer than alone requests may take before the limit falls."""
SMOOTHING = 0.5
"""Weight of the newest reading."""
SLOW_S = 0.25
"""Seconds after which a request counts as slow: five times what a page from the database takes."""
DECREASE = 0.9


class ConcurrencyLimit(Protocol):
    """Says how many requests may run at once."""

    @property
    def value(self) -> int:
        """Return the limit."""

    def observe(self, service_s: float, running: int) -> None:
        """Learn from a request that has ended.

        Args:
            service_s: seconds from its start in a thread to its end, without the wait before.
            running: how many ran at its end, this one included.
        """


class FixedLimit:
    """A limit that learns nothing.

    Args:
        value: requests at once.
    """

    def __init__(self, value: int) -> None:
        self.value = value

    def observe(self, service_s: float, running: int) -> None:
        """Learn nothing."""


class GradientLimit:
    """Follows the ratio of the time of a request that runs alone to the present one.

    Args:
        most: the highest limit, which is the first one, too.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._limit = float(most)
        self._alone_s, self._alone_count = 0.0, 0
        self._times: list[float] = []
        self._is_used = False

    @property
    def value(self) -> int:
        """Return the limit."""
        return round(self._limit)

    def observe(self, service_s: float, running: int) -> None:
        """Learn from a request; after :data:`WINDOW` of them, the limit follows."""
        if running == 1 or not self._alone_count:  # the first one shared its processor with the others
            self._alone_count += 1
            self._alone_s += max(ALONE_SHARE, 1 / self._alone_count) * (service_s / running - self._alone_s)
        self._times.append(service_s)
        self._is_used |= 2 * running >= self._limit
        if len(self._times) < WINDOW:
            return
        now_s = sum(self._times) / WINDOW
        if self._is_used and now_s:
            gradient = max(0.5, min(1.0, TOLERANCE * self._alone_s / now_s))
            aim = self._limit * gradient + math.sqrt(self._limit) / 2
            self._limit += SMOOTHING * (aim - self._limit)
            self._limit = min(self._most, max(float(MIN_LIMIT), self._limit))
        self._times.clear()
        self._is_used = False


class AimdLimit:
    """Adds one for each round of quick requests, and takes a tenth for a slow one.

    Args:
        most: the highest limit, which is the first one, too.
        slow_s: seconds after which a request is slow.
    """

    def __init__(self, most: int, slow_s: float = SLOW_S) -> None:
        self._most = float(most)
        self._slow_s = slow_s
        self._limit = float(most)

    @property
    def value(self) -> int:
        """Return the limit."""
        return round(self._limit)

    def observe(self, service_s: float, running: int) -> None:
        """Learn from a request."""
        if service_s > self._slow_s:
            self._limit = max(float(MIN_LIMIT), self._limit * DECREASE)
        elif 2 * running >= self._limit:
            self._limit = min(self._most, self._limit + 1 / self._limit)
