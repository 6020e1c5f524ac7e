"""Leaving a key alone for a moment after its load failed, so that nobody hammers what is already down."""

import threading
from collections import OrderedDict

from shop.clock import Clock
from shop.patterns.caching.after_fork import in_every_child

RETRY_S = 2.0
"""Seconds between two tries of one key in one process while stale values stand in."""
LIMIT = 1024
"""Keys remembered, at most; the oldest is forgotten, and tried once more than it must."""


class FailureBackoff:
    """The keys that rest.

    Args:
        clock: measures it.
        rest_s: seconds a key rests.
        limit: how many keys are remembered.
    """

    def __init__(self, clock: Clock, rest_s: float = RETRY_S, limit: int = LIMIT) -> None:
        self._clock = clock
        self._rest_s = rest_s
        self._limit = limit
        self._start_empty()
        in_every_child(self._start_empty)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._until: OrderedDict[str, float] = OrderedDict()

    def rest(self, key: str) -> None:
        """Leave a key alone from now on."""
        with self._lock:
            self._until[key] = self._clock.monotonic() + self._rest_s
            self._until.move_to_end(key)
            while len(self._until) > self._limit:
                self._until.popitem(last=False)

    def resting(self, key: str) -> bool:
        """Tell whether a key is to be left alone; costs no lock where none is."""
        if not self._until:
            return False
        with self._lock:
            until = self._until.get(key)
            if until is None:
                return False
            if self._clock.monotonic() < until:
                return True
            del self._until[key]
            return False
