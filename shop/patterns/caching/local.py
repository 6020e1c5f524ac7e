"""The local level: values in this process's own memory, in front of the shared level.

Problem: a hit in the shared level still costs a round trip and a thread's turn; for the hottest screens that is most of
the response time.
Method: a bounded store of ready bytes. Every process has its own copies, so an invalidation is broadcast to all of them
(see ``invalidation_bus``). Copies are kept only while this process receives the broadcasts: when the listener loses its
connection, all copies are dropped, and again when it is back, because messages in between were lost. A short
time-to-live bounds the damage of a lost message.
Eviction is S3-FIFO without its list of ghosts, which are of no use to entries that live for five seconds. New copies
enter a small queue. A copy that is used a second time moves to the main queue, the others are evicted; in the main
queue, a copy that was used since its last turn gets another turn. A crawler that reads every page once flushes the
small queue only; it would empty a least-recently-used list. And a hit only sets a mark: no lock, and nothing moves.
A value that was read before an invalidation must not be stored after it. So a reader takes the generation, the count of
all invalidations, *before* it reads the shared level, and its value is stored only if that count is still the same. One
count for all tags rejects a few more values than necessary; the next reader stores them.
Switch: ``cache.local``.
Source: Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013 (invalidation by broadcast, late fills); Yang et al.,
"FIFO Queues are All You Need for Cache Eviction", SOSP 2023.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shop.clock import Clock
from shop.patterns.caching.entry import digest
from shop.patterns.caching.events import CopiesEvicted, Emit, LocalSize, ignore
from shop.threads import reset_after_fork

TTL_S = 5.0
"""Longest life of a copy, from before its value was read. A hot screen is requested many times a second: a longer life
would save next to nothing. The edge's purger depends on it (see ``purger``)."""
OVERHEAD_BYTES = 600
"""The cost of a copy besides its value: its record, its place in a queue and in the sets of its tags."""
SMALL_SHARE = 0.1
"""Of the limit, for copies not yet used twice; the paper's figure."""
NEGATIVES_LIMIT = 1024
"""Most negative copies: made-up names are endless, and must not evict the copies of existing things."""


class ReadGeneration(NamedTuple):
    """The state before a read, to be compared when the value is stored."""

    invalidation_count: int
    """The invalidations so far."""
    taken_at: float
    """On the monotonic clock, in seconds."""


@dataclass(slots=True)
class LocalEntry:
    """A copy in the memory of this process."""

    value: bytes
    digest: str
    """Of the value, computed once, when the copy is made."""
    expires_at: float
    """On the monotonic clock, in seconds."""
    tags: tuple[str, ...]
    size: int
    negative: bool
    queue: "OrderedDict[str, LocalEntry]"
    """The eviction queue it is in."""
    used: bool = False
    """Whether it was used since its last turn."""


class LocalCache(Protocol):
    """The interface of a local level."""

    @property
    def name(self) -> str:
        """Return its name, as ``Cache-Status`` shows it."""

    @property
    def invalidation_count(self) -> int:
        """Return the number of invalidations so far."""

    def get(self, key: str) -> LocalEntry | None:
        """Return the copy under ``key``, if it may be served."""

    def generation(self) -> ReadGeneration | None:
        """Return the generation, to be taken before the shared level is read; ``None`` while no copy may be stored."""

    def put(
        self,
        key: str,
        value: bytes,
        tags: Sequence[str],
        ttl_s: float,
        generation: ReadGeneration,
        *,
        negative: bool = False,
        value_digest: str = "",
    ) -> bool:
        """Store a copy of a value that was read after ``generation``; return whether it was stored.

        Args:
            key: names the value.
            value: the value.
            tags: the invalidation of any of them drops the copy.
            ttl_s: longest life in seconds.
            generation: from before the value was read.
            negative: whether it says that the thing does not exist.
            value_digest: the value's digest, if it is known.
        """

    def invalidate(self, tags: Sequence[str]) -> None:
        """Drop every copy that carries one of the tags, and reject values read before."""


class LocalLevel:
    """Copies in memory, safe to use from many threads.

    One lock guards all changes. A hit takes no lock, because one dictionary look-up is atomic: it happens before a
    change or after it. A reader that gets a copy just before an invalidation drops it has begun before the
    invalidation, so it may serve the copy.

    Args:
        limit_bytes: the size of all copies together.
        clock: measures lifetimes.
        emit: receives the size and the evictions.
        negatives_limit: the number of negative copies.
    """

    name = "shop-local"

    def __init__(
        self, limit_bytes: int, clock: Clock, emit: Emit = ignore, negatives_limit: int = NEGATIVES_LIMIT
    ) -> None:
        self._limit_bytes = limit_bytes
        self._negatives_limit = negatives_limit
        self._clock = clock
        self._emit = emit
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        """Hold nothing: a child has no listener, and its lock may be held by a thread of the parent."""
        self._lock = threading.Lock()
        self._connected = False
        self._invalidation_count = 0
        self._clear()

    def _clear(self) -> None:
        self._copies: dict[str, LocalEntry] = {}
        self._small: OrderedDict[str, LocalEntry] = OrderedDict()
        self._main: OrderedDict[str, LocalEntry] = OrderedDict()
        self._negatives: OrderedDict[str, LocalEntry] = OrderedDict()
        self._keys_of: dict[str, set[str]] = {}
        self._bytes = 0
        self._small_bytes = 0

    @property
    def invalidation_count(self) -> int:
        """Return the number of invalidations so far, counted with or without broadcasts."""
        return self._invalidation_count

    @property
    def size(self) -> LocalSize:
        """Return the number of copies and their bytes."""
        return LocalSize(self.name, len(self._copies), self._bytes)

    @property
    def tags(self) -> frozenset[str]:
        """Return the tags of all copies."""
        return frozenset(self._keys_of)

    def get(self, key: str) -> LocalEntry | None:
        """Return the copy under ``key`` unless it has expired, and mark it as used."""
        entry = self._copies.get(key)
        if entry is None:
            return None
        if entry.expires_at <= self._clock.monotonic():
            with self._lock:
                if self._copies.get(key) is entry:
                    self._remove(key)
            return None
        entry.used = True
        return entry

    def generation(self) -> ReadGeneration | None:
        """Return the number of invalidations so far, and the time; ``None`` while no broadcasts arrive."""
        with self._lock:
            return ReadGeneration(self._invalidation_count, self._clock.monotonic()) if self._connected else None

    def put(
        self,
        key: str,
        value: bytes,
        tags: Sequence[str],
        ttl_s: float,
        generation: ReadGeneration,
        *,
        negative: bool = False,
        value_digest: str = "",
    ) -> bool:
        """Store a copy, unless there was an invalidation since ``generation``; evict the least useful copies."""
        size = len(value) + len(key) + OVERHEAD_BYTES
        now = self._clock.monotonic()
        expires_at = min(now + ttl_s, generation.taken_at + TTL_S)
        if expires_at <= now or size > self._limit_bytes:
            return False
        value_digest = value_digest or digest(value)
        with self._lock:
            if generation.invalidation_count != self._invalidation_count:
                return False
            before = self._copies.get(key)
            was_main = before is not None and before.queue is self._main
            self._remove(key)
            queue = self._negatives if negative else self._main if was_main else self._small
            self._insert(key, LocalEntry(value, value_digest, expires_at, tuple(tags), size, negative, queue))
            evicted = []
            while len(self._negatives) > self._negatives_limit:
                evicted.append(self._remove(next(iter(self._negatives))))
            while self._bytes > self._limit_bytes:
                evicted.append(self._remove(self._least_useful()))
            new_size = self.size
        if evicted:
            self._emit(CopiesEvicted(self.name, len(evicted), sum(entry.size for entry in evicted if entry)))
        self._emit(new_size)
        return True

    def invalidate(self, tags: Sequence[str]) -> None:
        """Drop every copy that carries one of the tags; values read before are no longer stored."""
        with self._lock:
            self._invalidation_count += 1
            for tag in tags:
                for key in tuple(self._keys_of.get(tag, ())):
                    self._remove(key)
            size = self.size
        self._emit(size)

    def set_connected(self, *, connected: bool) -> None:
        """Note whether broadcasts arrive from now on; drop all copies in both cases."""
        with self._lock:
            self._invalidation_count += 1
            self._clear()
            self._connected = connected
            size = self.size
        self._emit(size)

    def _insert(self, key: str, entry: LocalEntry) -> None:
        self._copies[key] = entry.queue[key] = entry
        self._bytes += entry.size
        self._small_bytes += entry.size if entry.queue is self._small else 0
        for tag in entry.tags:
            self._keys_of.setdefault(tag, set()).add(key)

    def _least_useful(self) -> str:
        """Return the key to evict; give each copy that was used another turn."""
        while True:
            if self._small and (self._small_bytes > self._limit_bytes * SMALL_SHARE or not self._main):
                key, entry = next(iter(self._small.items()))
                if not entry.used:
                    return key
                del self._small[key]  # it was used a second time: it moves to the main queue
                self._small_bytes -= entry.size
                entry.used = False
                entry.queue = self._main
                self._main[key] = entry
            elif self._main:
                key, entry = next(iter(self._main.items()))
                if not entry.used:
                    return key
                entry.used = False
                self._main.move_to_end(key)
            else:
                return next(iter(self._negatives))

    def _remove(self, key: str) -> LocalEntry | None:
        entry = self._copies.pop(key, None)
        if entry is None:
            return None
        del entry.queue[key]
        self._bytes -= entry.size
        self._small_bytes -= entry.size if entry.queue is self._small else 0
        for tag in entry.tags:
            keys = self._keys_of[tag]
            keys.discard(key)
            if not keys:
                del self._keys_of[tag]
        return entry


class InvalidateOnlyLocal:
    """A local level that is neither read nor filled, but still receives invalidations.

    Args:
        local: the level that is used again when the switch is turned on.
    """

    def __init__(self, local: LocalCache) -> None:
        self.name = local.name
        self._local = local

    @property
    def invalidation_count(self) -> int:
        """Return the number of invalidations so far."""
        return self._local.invalidation_count

    def get(self, key: str) -> LocalEntry | None:
        """Return nothing."""
        return None

    def generation(self) -> ReadGeneration | None:
        """Return that no copy may be stored."""
        return None

    def put(
        self,
        key: str,
        value: bytes,
        tags: Sequence[str],
        ttl_s: float,
        generation: ReadGeneration,
        *,
        negative: bool = False,
        value_digest: str = "",
    ) -> bool:
        """Reject it."""
        return False

    def invalidate(self, tags: Sequence[str]) -> None:
        """Pass it on."""
        self._local.invalidate(tags)
