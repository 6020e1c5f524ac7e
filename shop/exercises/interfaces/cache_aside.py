"""The interface of the exercise ``cache-aside``."""

from collections.abc import Callable
from typing import Protocol


class EntryCache(Protocol):
    """The cache that the attempt uses. Each call raises ``ConnectionError`` if the cache does not answer in time."""

    def get(self, key: str) -> bytes | None:
        """Return the value stored under a key; ``None`` if there is none, or if its lifetime is over."""
        ...

    def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store a value for ``ttl_s`` seconds. A cache may drop any value earlier, for example if it is full."""
        ...


class CacheAsideLoader(Protocol):
    """Looks up a value in the cache; loads and stores it if it is not there."""

    def __call__(self, cache: EntryCache, key: str, ttl_s: float, load: Callable[[], bytes]) -> bytes:
        """Return the value of a key.

        Args:
            cache: may hold the value; it may also be down.
            key: names the value.
            ttl_s: how long a loaded value may be kept, in seconds.
            load: reads the value from the database; it raises an exception if that fails.
        """
        ...
