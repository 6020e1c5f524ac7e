"""The store's own cache-aside, ``Cache.get_or_load``, on the cache that a check hands in."""

from collections.abc import Callable, Sequence

from shop.clock import FakeClock
from shop.exercises.interfaces.cache_aside import EntryCache
from shop.patterns.caching import Cache, CachePolicy, CacheUnavailable, NoProtection
from shop.patterns.caching.entry import CacheEntry, decode, encode
from shop.patterns.caching.levels import NullLevel, ReadResult, TagVersions, Versions
from shop.patterns.caching.lock import LoadLease


class EntryCacheLevel(NullLevel):
    """A shared level over the cache of a check. It has no tags, and no lock.

    Args:
        cache: stores the values.
        fresh_until: expiry of each stored value, unix time in seconds.
    """

    name = "exercise"
    enabled = True

    def __init__(self, cache: EntryCache, fresh_until: float) -> None:
        self._cache = cache
        self._fresh_until = fresh_until

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the stored entry.

        Raises:
            CacheUnavailable: the cache does not answer.
        """
        try:
            value = self._cache.get(key)
        except ConnectionError:
            raise CacheUnavailable(self.name) from None
        if value is None:
            return ReadResult(None, ())
        return ReadResult(encode(CacheEntry(value, self._fresh_until, self._fresh_until, 0.0, ())), ())

    def versions(self, tags: Sequence[str]) -> Versions:
        """Return no versions."""
        return ()

    def ensure_tag_versions(self, tags: Sequence[str]) -> TagVersions:
        """Return no versions."""
        return TagVersions(())

    def write(
        self, key: str, stored: bytes, ttl_s: float, lease: LoadLease | None = None, ephemeral_tags: Sequence[str] = ()
    ) -> None:
        """Store the value of an encoded entry.

        Raises:
            CacheUnavailable: the cache does not answer.
        """
        entry = decode(stored)
        assert entry is not None  # noqa: S101 - the loader has just encoded it
        try:
            self._cache.set(key, entry.value, ttl_s)
        except ConnectionError:
            raise CacheUnavailable(self.name) from None


def get_or_load(cache: EntryCache, key: str, ttl_s: float, load: Callable[[], bytes]) -> bytes:
    """Look up a value in the store's cache."""
    clock = FakeClock()
    level = EntryCacheLevel(cache, clock.now().timestamp() + ttl_s)
    store_cache = Cache(level, clock, strategy=NoProtection)
    return store_cache.get_or_load(key, CachePolicy("exercise", ttl_s=round(ttl_s)), (), load)
