"""The store's cache and its invalidation by event in the form of the exercise ``tag-invalidation``."""

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from shop.clock import SystemClock
from shop.exercises.interfaces.tag_invalidation import AfterCommit
from shop.patterns.caching import Cache, CachePolicy, EventInvalidation
from shop.patterns.caching.shared import SharedLevel

if TYPE_CHECKING:
    from redis import Redis

TIMEOUT_MS = 5000
"""Longer than in the store: on a busy machine, a late answer must not look like an outage."""


class StoreTaggedCache:
    """The store's cache on one Valkey, without copies in memory.

    Args:
        valkey: its address is used; the store's level has connections of its own.
        ttl_s: lifetime of an entry, in seconds.
    """

    def __init__(self, valkey: "Redis", ttl_s: int) -> None:
        level = SharedLevel(_address_of(valkey), TIMEOUT_MS, SystemClock())
        weakref.finalize(self, level.close)
        self._client = EventInvalidation(Cache(level, SystemClock()))
        self._policy = CachePolicy("exercise", ttl_s)

    def get_or_load(self, key: str, tags: Sequence[str], load: Callable[[], bytes]) -> bytes:
        """Read through the store's cache."""
        return self._client.get_or_load(key, self._policy, tags, load)

    def on_write(self, tags: Sequence[str], after_commit: AfterCommit) -> None:
        """Register the invalidation as the catalogue does."""
        after_commit(lambda: self._client.on_write(tags))


def _address_of(valkey: "Redis") -> str:
    """Return the address of a client's server."""
    parts = valkey.connection_pool.connection_kwargs
    login = ":".join(quote(parts.get(name) or "", safe="") for name in ("username", "password")) + "@"
    if "path" in parts:
        return f"unix://{login}{parts['path']}?db={parts.get('db', 0)}"
    return f"redis://{login}{parts['host']}:{parts['port']}/{parts.get('db', 0)}"
