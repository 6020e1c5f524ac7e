"""What a writer does to the cache after its commit, and how readers' entries end: three ways.

Problem: a price was changed; for how long do shoppers see the old one, and who pays for the new one?
``OnEvent`` (event): the writer invalidates, the next reader loads. Nothing stale is served once that is acknowledged.
``WriteThrough``: the writer invalidates and then reads what it changed through the cache, so that no reader pays. It
fills from the database and not from what it has in hand: two writers may commit in one order and fill in the other, and
then the earlier value would stay. A fill by loading carries the versions from before its load, so that of the two the
one is kept that saw both commits.
``TimeOnly`` (ttl): nothing ends an entry but its time. Entries live under keys of their own and carry no tags; the
tagged ones are invalidated all the same, so that switching back revives nothing old.
Switch: ``cache.invalidation``. Experiment: ``cache-staleness``.
Source: Microsoft's Cloud Design Patterns, "Cache-Aside", on the three; Nishtala et al., NSDI 2013, on the late fill.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from shop.patterns.caching.cache import Cache
from shop.patterns.caching.envelope import CacheEntry
from shop.patterns.caching.events import Emit, InvalidationUnheard, RefillFailed, ignore
from shop.patterns.caching.loader import CacheRequest, Load, TaggedValue
from shop.patterns.caching.local import LocalEntry
from shop.patterns.caching.policy import CachePolicy

Refill = Callable[[], object]
"""Reads one changed value through the cache."""


class CacheClient(Protocol):
    """What features read and write through."""

    def get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        """Return the value under ``key``; see :meth:`Cache.get_or_load`."""

    def get_many(self, asks: Sequence[CacheRequest]) -> list[bytes | None]:
        """Return several values, looked for in one round trip; see :meth:`Cache.get_many`."""

    def kept(self, key: str, policy: CachePolicy, tags: Sequence[str]) -> LocalEntry | CacheEntry | None:
        """Return what a level holds, if it may be served as it is; see :meth:`Cache.kept`."""

    def carried(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return the tags that can end an answer made of those."""

    def invalidate(self, tags: Sequence[str]) -> None:
        """End every entry that carries one of the tags; see :meth:`Cache.invalidate`."""

    def changed(self, tags: Sequence[str], refills: Sequence[Refill] = ()) -> None:
        """Say after the commit what was changed.

        Args:
            tags: what was made from it ends.
            refills: what will be asked for first.
        """


class WriteBarrier(Protocol):
    """What a writer waits at for the other processes."""

    def wait(self) -> bool:
        """Wait for a moment until all have heard what was invalidated; tell whether they have."""


class OnEvent:
    """The writer invalidates.

    Args:
        cache: read through.
        barrier: waited at after a change; nothing is waited for by default.
        emit: told of processes that have not heard in time.
    """

    def __init__(self, cache: Cache, barrier: WriteBarrier | None = None, emit: Emit = ignore) -> None:
        self._barrier = barrier
        self._emit = emit
        self.get_or_load = cache.get_or_load
        self.get_many = cache.get_many
        self.kept = cache.kept
        self.invalidate = cache.invalidate
        self._end = cache.end

    def carried(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return all of them."""
        return tuple(tags)

    def changed(self, tags: Sequence[str], refills: Sequence[Refill] = ()) -> None:
        """Invalidate, and wait until every process has heard."""
        if self._end(tags):
            self._wait()

    def _wait(self) -> None:
        if self._barrier is not None and not self._barrier.wait():
            self._emit(InvalidationUnheard())


class WriteThrough(OnEvent):
    """The writer invalidates and fills.

    Args:
        cache: read through.
        barrier: as of :class:`OnEvent`.
        emit: told of refills that failed, too: what was committed is committed, and the next reader fills.
    """

    def changed(self, tags: Sequence[str], refills: Sequence[Refill] = ()) -> None:
        """Invalidate, then fill, and wait until every process has heard."""
        done = self._end(tags)
        for refill in refills:
            try:
                refill()
            except Exception as error:  # noqa: BLE001 - whatever a loader raises, the writer has written
                self._emit(RefillFailed(type(error).__name__))
        if done:
            self._wait()


class TimeOnly(OnEvent):
    """Time alone ends entries.

    Args:
        cache: read through.
    """

    PREFIX = "ttl:"
    """In front of every key: what carries no tags must not be found by who relies on them."""

    def __init__(self, cache: Cache) -> None:
        super().__init__(cache)
        self._cache = cache
        self.get_or_load = self._get_or_load
        self.get_many = self._get_many
        self.kept = self._kept

    def _get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        return self._cache.get_or_load(self.PREFIX + key, policy, (), partial(_untagged, load) if finds_tags else load)

    def _get_many(self, asks: Sequence[CacheRequest]) -> list[bytes | None]:
        return self._cache.get_many([replace(ask, key=self.PREFIX + ask.key, tags=()) for ask in asks])

    def carried(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return none."""
        return ()

    def _kept(self, key: str, policy: CachePolicy, tags: Sequence[str]) -> LocalEntry | CacheEntry | None:
        return self._cache.kept(self.PREFIX + key, policy, ())


def _untagged(load: Load) -> bytes:
    value = load()
    return bytes(value) if isinstance(value, TaggedValue) else value
