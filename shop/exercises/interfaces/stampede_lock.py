"""The interface of the exercise ``stampede-lock``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from redis import Redis


class LoadOnce(Protocol):
    """Looks up a value that the cache did not have: of all callers in all processes, one loads it."""

    def __call__(self, name: str, read: Callable[[], bytes | None], load: Callable[[], bytes]) -> bytes:
        """Return the value.

        Args:
            name: the key of the lock in Valkey.
            read: returns the value in the cache; ``None`` if there is none.
            load: loads the value, stores it in the cache, and returns it; it raises an exception if that fails.
        """
        ...


class StampedeLockFactory(Protocol):
    """Builds the function for a process of the store."""

    def __call__(
        self,
        valkey: "Redis",
        lock_s: float,
        max_wait_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> LoadOnce:
        """Return the function that all threads of the process call.

        Args:
            valkey: a client of redis-py, which returns bytes; each thread may use it.
            lock_s: a lock that is not released ends by itself after so many seconds.
            max_wait_s: a caller waits for another one's load at most so many seconds; then it loads by itself.
            clock: returns seconds; only differences have a meaning.
            sleep: waits so many seconds.
        """
        ...
