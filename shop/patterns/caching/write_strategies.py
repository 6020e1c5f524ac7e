"""Three ways to replace outdated entries after a write: by event, by write-through, by time alone.

Problem: a price was changed. How long do shoppers see the old price, and which request pays for loading the new one?
Method: ``EventInvalidation`` (event): the writer invalidates after its commit, and the next reader loads. The shared
level serves no stale entry after Valkey has executed the invalidation, and a local level serves none after its process
has received the broadcast.
``WriteThrough``: the writer invalidates and then reads the changed values through the cache, so that no reader waits
for a load. It does not store the values that it has written. Two writers may commit in one order and store in the other
order, and then the earlier value would stay in the cache. A value that is loaded from the database carries the tag
versions from before its load. So if it was loaded before the second commit, the second invalidation makes it invalid.
``TtlOnly`` (ttl): an entry is replaced only when its time is over. Entries have their own keys and carry no tags. The
tagged entries are still invalidated, so the cache serves no old entry when the switch is set to another way again.
Switch: ``cache.invalidation``. Experiment: ``cache-staleness``.
Source: Microsoft's Cloud Design Patterns, "Cache-Aside", on the three; Nishtala et al., NSDI 2013, on the late fill.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from shop.patterns.caching.cache import Cache
from shop.patterns.caching.entry import CacheEntry, CachePolicy, TaggedValue
from shop.patterns.caching.events import Emit, InvalidationUnheard, RefillFailed, ignore
from shop.patterns.caching.loader import CacheRequest, Load
from shop.patterns.caching.local import LocalEntry

Refill = Callable[[], object]
"""Reads one changed value through the cache."""


class CacheClient(Protocol):
    """The cache as features use it."""

    def get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        """Return the value under ``key``; see :meth:`Cache.get_or_load`."""

    def get_many(self, requests: Sequence[CacheRequest]) -> list[bytes | None]:
        """Return several values, read in one round trip; see :meth:`Cache.get_many`."""

    def peek(self, key: str, policy: CachePolicy, tags: Sequence[str]) -> LocalEntry | CacheEntry | None:
        """Return a fresh entry without loading; see :meth:`Cache.peek`."""

    def effective_tags(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return those of the tags whose invalidation makes an entry invalid."""

    def invalidate(self, tags: Sequence[str]) -> None:
        """Make every entry invalid that carries one of the tags; see :meth:`Cache.invalidate`."""

    def on_write(self, tags: Sequence[str], refills: Sequence[Refill] = ()) -> None:
        """Update the cache after a commit.

        Args:
            tags: of the changed data.
            refills: read the values that will be requested first.
        """


class WriteBarrier(Protocol):
    """Lets a writer wait for the other processes."""

    def wait(self) -> bool:
        """Wait for a moment until every process has handled the invalidation; return whether all did."""


class EventInvalidation:
    """The writer invalidates.

    Args:
        cache: read through.
        barrier: waited at after a write; by default there is no wait.
        emit: receives an event if not every process confirmed in time.
    """

    def __init__(self, cache: Cache, barrier: WriteBarrier | None = None, emit: Emit = ignore) -> None:
        self._barrier = barrier
        self._emit = emit
        self.get_or_load = cache.get_or_load
        self.get_many = cache.get_many
        self.peek = cache.peek
        self._invalidate = cache.invalidate

    def invalidate(self, tags: Sequence[str]) -> None:
        """Make every entry invalid that carries one of the tags."""
        self._invalidate(tags)

    def effective_tags(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return all of them."""
        return tuple(tags)

    def on_write(self, tags: Sequence[str], refills: Sequence[Refill] = ()) -> None:
        """Invalidate; with a barrier, also wait for a moment until every process has received the invalidation."""
        if self._invalidate(tags):
            self._wait()

    def _wait(self) -> None:
        if self._barrier is not None and not self._barrier.wait():
            self._emit(InvalidationUnheard())


class WriteThrough(EventInvalidation):
    """The writer invalidates and refills.

    Args:
        cache: read through.
        barrier: as of :class:`EventInvalidation`.
        emit: receives failed refills, too: the write is committed all the same, and the next reader loads.
    """

    def on_write(self, tags: Sequence[str], refills: Sequence[Refill] = ()) -> None:
        """Invalidate and refill; with a barrier, also wait for a moment until every process has received it."""
        done = self._invalidate(tags)
        for refill in refills:
            try:
                refill()
            except Exception as error:  # noqa: BLE001 - any error of a loader comes after the commit
                self._emit(RefillFailed(type(error).__name__))
        if done:
            self._wait()


class TtlOnly:
    """An entry is replaced only when its time is over.

    Args:
        cache: read through.
    """

    PREFIX = "ttl:"
    """In front of every key: the other two ways must not read entries without tags."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        """Return the value under the prefixed key; ignore its tags."""

        def load_untagged() -> bytes:
            value = load()
            return bytes(value) if isinstance(value, TaggedValue) else value

        return self._cache.get_or_load(self.PREFIX + key, policy, (), load_untagged if finds_tags else load)

    def get_many(self, requests: Sequence[CacheRequest]) -> list[bytes | None]:
        """Return several values under prefixed keys."""
        return self._cache.get_many([replace(each, key=self.PREFIX + each.key, tags=()) for each in requests])

    def peek(self, key: str, policy: CachePolicy, tags: Sequence[str]) -> LocalEntry | CacheEntry | None:
        """Return a fresh entry under the prefixed key."""
        return self._cache.peek(self.PREFIX + key, policy, ())

    def effective_tags(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return an empty tuple: no tag makes an entry invalid."""
        return ()

    def invalidate(self, tags: Sequence[str]) -> None:
        """Make the tagged entries of the other two ways invalid; the entries of this way stay."""
        self._cache.invalidate(tags)

    def on_write(self, tags: Sequence[str], refills: Sequence[Refill] = ()) -> None:
        """Invalidate as :meth:`invalidate` does; refill nothing."""
        self._cache.invalidate(tags)
