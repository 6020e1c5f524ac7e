"""The interface of the exercise ``memcached-level``: a part of the cache's own level protocol.

The methods are those of ``CacheLevel`` in ``shop/patterns/caching/levels.py``, with the same types.
"""

from collections.abc import Sequence
from typing import Protocol

from shop.exercises.memcached_client import MemcachedClient
from shop.patterns.caching.levels import LockAttempt, ReadResult, TagVersions
from shop.patterns.caching.lock import LoadLease


class LevelMethods(Protocol):
    """Stores encoded entries, a version for each tag, and a lock for each load."""

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the entry of a key, and the versions of the tags just after the entry was read, in one round trip.

        Args:
            key: any text.
            tags: any texts.
        """
        ...

    def write(self, key: str, stored: bytes, ttl_s: float) -> None:
        """Store an entry for at most ``ttl_s`` seconds.

        Args:
            key: any text.
            stored: the encoded entry.
            ttl_s: seconds, more than 0; a part of a second is rounded up.
        """
        ...

    def ensure_tag_versions(self, tags: Sequence[str]) -> TagVersions:
        """Return the version of each tag; give a version never used before to each tag that has none.

        Args:
            tags: any texts.
        """
        ...

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag, and ``ANY_TAG``, a version never used before; return ``True``.

        Args:
            tags: any texts.
        """
        ...

    def acquire_and_read(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Take the lock if it is free, and then read.

        Args:
            key: of the entry.
            tags: of the entry.
            lease: name of the lock and token of its holder.
        """
        ...

    def release(self, lease: LoadLease) -> None:
        """Release the lock if the caller still holds it; otherwise do nothing.

        Args:
            lease: name of the lock and token of its holder.
        """
        ...


class MemcachedLevelFactory(Protocol):
    """Builds the level, once when a process of the store starts."""

    def __call__(self, client: MemcachedClient) -> LevelMethods:
        """Return the level.

        Args:
            client: of one Memcached.
        """
        ...
