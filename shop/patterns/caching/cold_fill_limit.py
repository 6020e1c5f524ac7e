"""Cold-fill limit: at most so many loads of a process fill the cache at once.

Problem: single flight ends the loads of one key, not those of different keys. After a flush every request misses
another key, all threads of a process load, and the requests that the cache could answer wait for a thread. The source,
which has its own limit, gets slower with each further load.
Method: the load of a missing or expired entry takes one of the process's places. If none becomes free within a moment,
the load fails, so that an old value is served, or a clear refusal, instead of one more load. A load within a load needs
no place of its own: it would wait for the place that its own caller holds. Two loads can still wait for each other, one
for a value and one for a place; the moment ends that. Loads without a cache, and refreshes before the expiry, fill
nothing that is missing, and are not limited.
Switch: ``cache.stampede``, ``lock+early``, ``lock`` and ``refresh-ahead``. Experiment: ``metastable``.
Source: Bronson et al., "Metastable Failures in Distributed Systems" (HotOS 2021); Nishtala et al., "Scaling Memcache at
Facebook" (NSDI 2013), on cold clusters.
"""

import threading
from collections.abc import Callable

from shop.patterns.caching import nested_reads
from shop.patterns.resilience import deadlines
from shop.threads import reset_after_fork

PLACES = 4
"""Half of a worker's threads by default: the others answer from the cache. Four loads keep a core busy, since a load
computes most of the time."""
PLACE_WAIT_S = 1.0
"""Longest wait for a place. In a store that works, a place is free within some tens of milliseconds; where it is not,
the database hangs, and a thread that waits for longer is missing elsewhere."""


class ColdFillLimit:
    """The places for loads in this process; one a process.

    Args:
        places: loads at once.
        max_wait_s: seconds that a load may wait for a place, at most until the deadline of its request.
    """

    def __init__(self, places: int = PLACES, max_wait_s: float = PLACE_WAIT_S) -> None:
        self._places = places
        self._max_wait_s = max_wait_s
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._free = threading.BoundedSemaphore(self._places)

    def bound(self, load: Callable[[], bytes], make_error: Callable[[], Exception]) -> Callable[[], bytes]:
        """Return a load that needs a place; the same load if the caller is part of a load.

        Args:
            load: makes the value.
            make_error: makes the exception of a load that got no place.
        """
        if nested_reads.is_loading():
            return load

        def load_in_place() -> bytes:
            free = self._free  # a fork may replace it meanwhile
            if not free.acquire(timeout=max(0.0, min(self._max_wait_s, deadlines.remaining()))):
                raise make_error()
            try:
                return load()
            finally:
                free.release()

        return load_in_place
