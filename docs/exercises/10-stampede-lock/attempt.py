"""Exercise 10: a stampede lock with an owner token. Complete `stampede_lock`, then run `bin/shop exercise check 10`."""

from collections.abc import Callable
from typing import Any


def stampede_lock(
    valkey: Any, lock_s: float, max_wait_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Callable[..., bytes]:
    """Return the function that all threads of a process call.

    Args:
        valkey: a client of redis-py, which returns bytes.
        lock_s: a lock that is not released ends by itself after so many seconds.
        max_wait_s: a caller waits for another one's load at most so many seconds; then it loads by itself.
        clock: returns seconds.
        sleep: waits so many seconds.
    """

    def load_once(name: str, read: Callable[[], bytes | None], load: Callable[[], bytes]) -> bytes:
        """Return the value that the cache did not have.

        Args:
            name: the key of the lock in Valkey.
            read: returns the value in the cache; None if there is none.
            load: loads the value, stores it in the cache, and returns it.
        """
        return load()  # every caller loads

    return load_once
