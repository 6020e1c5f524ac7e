"""Bulkhead for lists that no cache can hold: it bounds the number that a process builds at once.

Problem: each search, and each filter with a typed price, is a list of its own. It misses every cache and costs the
database up to a tenth of a second. A client that counts prices up holds every request thread, and shoppers wait.
Method: a bulkhead with a bounded queue. Half of a process's request threads build such lists at once, a quarter may
wait for a turn, and the next request is refused at once. The other threads serve cached pages, carts and checkouts.
Source: Nygard, "Release It!", "Bulkheads".
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shop.errors import ServiceUnavailable
from shop.patterns.resilience import deadlines

THREADS = 8
TURN_TIMEOUT_S = 1.0
"""Seconds that a caller waits for its turn: the time of ten slow lists."""
RETRY_AFTER_S = 1
BUSY = "Too many searches and filtered lists at once. Try again in a second, or look at a whole category."


class ListBulkhead:
    """Limits concurrent list queries; build one for each process, so that its limit holds for the process.

    Args:
        threads: request threads of the process.
        turn_timeout_s: seconds a caller waits for a turn, at most until its deadline.
    """

    def __init__(self, threads: int = THREADS, turn_timeout_s: float = TURN_TIMEOUT_S) -> None:
        at_once = max(1, threads // 2)
        self.admissions = threading.BoundedSemaphore(at_once + threads // 4)
        self._turns = threading.BoundedSemaphore(at_once)
        self._turn_timeout_s = turn_timeout_s

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a turn while the block builds a list.

        Raises:
            ServiceUnavailable: the queue is full, or no turn was free in time.
        """
        with _acquired(self.admissions, 0), _acquired(self._turns, min(self._turn_timeout_s, deadlines.remaining())):
            yield


@contextmanager
def _acquired(semaphore: threading.BoundedSemaphore, timeout_s: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout_s):
        raise ServiceUnavailable(BUSY, retry_after=RETRY_AFTER_S)
    try:
        yield
    finally:
        semaphore.release()
