"""Lists that no cache keeps, and how many of them are put together at once.

Problem: a search, or a price that was made up, is a list of its own: it misses every cache and costs the database up to
a tenth of a second. A client that counts prices up holds every request thread, and shoppers wait behind it.
Method: a bulkhead with a bounded queue. Half of a process's request threads put such lists together at once, a quarter
may wait for a turn, and the next is refused at once. The rest goes on serving what is kept, carts and checkouts.
Source: Nygard, "Release It!", "Bulkheads".
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shop.errors import ServiceUnavailable

THREADS = 8
TURN_TIMEOUT_S = 1.0
"""How long a caller waits for its turn: ten lists of the slowest kind."""
RETRY_AFTER_S = 1
BUSY = "Too many searches and filtered lists at once. Try again in a second, or look at a whole category."


class ListBulkhead:
    """Turns; build one a process, so that its limit holds for the process.

    Args:
        threads: request threads of the process.
        turn_timeout_s: seconds a caller waits for a turn.
    """

    def __init__(self, threads: int = THREADS, turn_timeout_s: float = TURN_TIMEOUT_S) -> None:
        at_once = max(1, threads // 2)
        self._places = threading.BoundedSemaphore(at_once + threads // 4)
        self._turns = threading.BoundedSemaphore(at_once)
        self._turn_timeout_s = turn_timeout_s

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a turn while the block puts a list together.

        Raises:
            ServiceUnavailable: as many as may wait for a turn do.
        """
        with _taken(self._places, 0), _taken(self._turns, self._turn_timeout_s):
            yield


@contextmanager
def _taken(semaphore: threading.BoundedSemaphore, timeout_s: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout_s):
        raise ServiceUnavailable(BUSY, retry_after=RETRY_AFTER_S)
    try:
        yield
    finally:
        semaphore.release()
