"""The local level: values in this process's own memory, in front of the shared level.

Problem: a shared hit still costs a round trip and a thread's turn; for the hottest screens that is most of the answer.
Method: a bounded store of ready bytes. Every process has copies of its own, so an invalidation is broadcast
(see ``broadcast``) and drops them everywhere. Copies are held only while this process hears the broadcasts: with the
listener's connection all of them go, and go again when it is back, for what was said in between was not heard. A short
time-to-live bounds what a lost message could do.
What makes room is chosen as S3-FIFO does it, without its list of ghosts, for which a life of five seconds leaves no
use. New copies stand in a short queue. Those used a second time move on to a long one, the others leave; in the long
one, who was used since its last turn gets another. A crawler that reads every page once flushes the short queue and
nothing else, where it would empty a least-recently-used list. And a hit only sets a mark: no lock, and nothing moves.
A value that was read before an invalidation must not be kept after it. So a reader takes the moment, a count of all
that was dropped, *before* it looks further down, and its value is kept only if nothing was dropped since. One count for
all tags refuses a little more than it must; the next reader keeps it.
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
from shop.patterns.caching.after_fork import in_every_child
from shop.patterns.caching.cacheable_response import digest
from shop.patterns.caching.events import CopiesEvicted, Emit, LocalSize, ignore

TTL_S = 5.0
"""Longest life of a copy, from before its value was read. A hot screen is asked for many times a second: a longer one
would save next to nothing. The edge's purger counts on it (see ``purger``)."""
OVERHEAD_BYTES = 600
"""What a copy costs beside its bytes: its record, its places in the order and among its tags."""


SHORT_SHARE = 0.1
"""Of the room, for copies not yet used twice; the paper's figure."""
NEGATIVES = 1024
"""Most copies that say "there is no such thing": made-up names are endless, and must not push out what exists."""


class ReadMoment(NamedTuple):
    """When a reader began, to be compared when its value is to be kept."""

    drops: int
    """How often something had been dropped so far."""
    taken: float
    """On the monotonic clock, in seconds."""


@dataclass(slots=True)
class LocalEntry:
    """A copy."""

    value: bytes
    digest: str
    """Of the value, taken once, when the copy is made."""
    until: float
    """On the monotonic clock, in seconds."""
    tags: tuple[str, ...]
    size: int
    negative: bool
    queue: "OrderedDict[str, LocalEntry]"
    """Where it stands in line."""
    used: bool = False
    """Since its last turn."""


class LocalCache(Protocol):
    """What the cache asks of a local level."""

    @property
    def name(self) -> str:
        """Return its name, as ``Cache-Status`` shows it."""

    @property
    def drops(self) -> int:
        """Return how often something was dropped so far."""

    def get(self, key: str) -> LocalEntry | None:
        """Return the copy under ``key``, if it may be served."""

    def moment(self) -> ReadMoment | None:
        """Return the moment, to be taken before looking further down; ``None`` while nothing may be kept."""

    def keep(
        self,
        key: str,
        value: bytes,
        tags: Sequence[str],
        ttl_s: float,
        moment: ReadMoment,
        *,
        negative: bool = False,
        known: str = "",
    ) -> bool:
        """Keep a value read since ``moment`` for at most ``ttl_s`` seconds; tell whether it was.

        Args:
            key: names the value.
            value: what is kept.
            tags: dropping any of them ends it.
            ttl_s: seconds at most.
            moment: when it was read, as :meth:`moment` told it.
            negative: whether it says that there is no such thing.
            known: its digest, where that was taken already.
        """

    def drop(self, tags: Sequence[str]) -> None:
        """Drop every copy that carries one of the tags, and refuse those under way."""


class LocalLevel:
    """Copies in memory, safe to use from many threads.

    One lock guards all changes. A hit takes none: it is one look into a dictionary, so it comes before or after any
    change as a whole; who got a copy just before it was dropped had asked before that.

    Args:
        limit_bytes: what all copies may take together.
        clock: measures their time.
        emit: told of what is held and what was evicted.
    """

    name = "shop-local"

    def __init__(self, limit_bytes: int, clock: Clock, emit: Emit = ignore) -> None:
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._emit = emit
        self._start_empty()
        in_every_child(self._start_empty)

    def _start_empty(self) -> None:
        """Hold nothing: in a child no listener came along, and the lock may be held by a thread that did not."""
        self._lock = threading.Lock()
        self._hears = False
        self._dropped = 0
        self._clear()

    def _clear(self) -> None:
        self._copies: dict[str, LocalEntry] = {}
        self._short: OrderedDict[str, LocalEntry] = OrderedDict()
        self._long: OrderedDict[str, LocalEntry] = OrderedDict()
        self._negatives: OrderedDict[str, LocalEntry] = OrderedDict()
        self._keys_of: dict[str, set[str]] = {}
        self._bytes = 0
        self._short_bytes = 0

    @property
    def drops(self) -> int:
        """Return how often something was dropped so far, whether broadcasts are heard or not."""
        return self._dropped

    def get(self, key: str) -> LocalEntry | None:
        """Return the copy under ``key`` unless its time is over, and mark it as used."""
        kept = self._copies.get(key)
        if kept is None:
            return None
        if kept.until <= self._clock.monotonic():
            with self._lock:
                if self._copies.get(key) is kept:
                    self._forget(key)
            return None
        kept.used = True
        return kept

    def moment(self) -> ReadMoment | None:
        """Return how often something was dropped so far, and the time; ``None`` while broadcasts are not heard."""
        with self._lock:
            return ReadMoment(self._dropped, self._clock.monotonic()) if self._hears else None

    def keep(
        self,
        key: str,
        value: bytes,
        tags: Sequence[str],
        ttl_s: float,
        moment: ReadMoment,
        *,
        negative: bool = False,
        known: str = "",
    ) -> bool:
        """Keep a value, unless something was dropped since ``moment``; the least useful make room."""
        size = len(value) + len(key) + OVERHEAD_BYTES
        now = self._clock.monotonic()
        until = min(now + ttl_s, moment.taken + TTL_S)
        if until <= now or size > self._limit_bytes:
            return False
        found_digest = known or digest(value)
        with self._lock:
            if moment.drops != self._dropped:
                return False
            before = self._copies.get(key)
            proven = before is not None and before.queue is self._long
            self._forget(key)
            queue = self._negatives if negative else self._long if proven else self._short
            self._put(key, LocalEntry(value, found_digest, until, tuple(tags), size, negative, queue))
            evicted = self._make_room()
            held = self._held()
        if evicted:
            self._emit(CopiesEvicted(self.name, len(evicted), sum(kept.size for kept in evicted)))
        self._emit(held)
        return True

    def drop(self, tags: Sequence[str]) -> None:
        """Drop every copy that carries one of the tags; values under way are not kept any more."""
        with self._lock:
            self._dropped += 1
            for tag in tags:
                for key in tuple(self._keys_of.get(tag, ())):
                    self._forget(key)
            held = self._held()
        self._emit(held)

    def hears(self, *, broadcasts: bool) -> None:
        """Note that broadcasts are heard from now on, or no longer; start from nothing either way."""
        with self._lock:
            self._dropped += 1
            self._clear()
            self._hears = broadcasts
            held = self._held()
        self._emit(held)

    def _held(self) -> LocalSize:
        return LocalSize(self.name, len(self._copies), self._bytes)

    def _put(self, key: str, kept: LocalEntry) -> None:
        self._copies[key] = kept.queue[key] = kept
        self._bytes += kept.size
        self._short_bytes += kept.size if kept.queue is self._short else 0
        for tag in kept.tags:
            self._keys_of.setdefault(tag, set()).add(key)

    def _make_room(self) -> list[LocalEntry]:
        """Evict until everything fits."""
        evicted = []
        while len(self._negatives) > NEGATIVES:
            evicted.append(self._forget(next(iter(self._negatives))))
        while self._bytes > self._limit_bytes:
            evicted.append(self._forget(self._least_useful()))
        return [kept for kept in evicted if kept is not None]

    def _least_useful(self) -> str:
        """Return the key to evict, giving what was used meanwhile its next turn on the way."""
        while True:
            if self._short and (self._short_bytes > self._limit_bytes * SHORT_SHARE or not self._long):
                key, kept = next(iter(self._short.items()))
                if not kept.used:
                    return key
                self._move(key, kept)
            elif self._long:
                key, kept = next(iter(self._long.items()))
                if not kept.used:
                    return key
                kept.used = False
                self._long.move_to_end(key)
            else:
                return next(iter(self._negatives))

    def _move(self, key: str, kept: LocalEntry) -> None:
        """Let a copy that was used twice stand in the long queue."""
        del self._short[key]
        self._short_bytes -= kept.size
        kept.used = False
        kept.queue = self._long
        self._long[key] = kept

    def _forget(self, key: str) -> LocalEntry | None:
        kept = self._copies.pop(key, None)
        if kept is None:
            return None
        del kept.queue[key]
        self._bytes -= kept.size
        self._short_bytes -= kept.size if kept.queue is self._short else 0
        for tag in kept.tags:
            keys = self._keys_of[tag]
            keys.discard(key)
            if not keys:
                del self._keys_of[tag]
        return kept


class SwitchedOffLocal:
    """A local level that is neither read nor filled, but still drops what is invalidated.

    Args:
        local: the level as it will be when it is switched on again.
    """

    def __init__(self, local: LocalCache) -> None:
        self.name = local.name
        self._local = local

    @property
    def drops(self) -> int:
        """Return how often something was dropped so far."""
        return self._local.drops

    def get(self, key: str) -> LocalEntry | None:
        """Return nothing."""
        return None

    def moment(self) -> ReadMoment | None:
        """Say that nothing may be kept."""
        return None

    def keep(
        self,
        key: str,
        value: bytes,
        tags: Sequence[str],
        ttl_s: float,
        moment: ReadMoment,
        *,
        negative: bool = False,
        known: str = "",
    ) -> bool:
        """Refuse it."""
        return False

    def drop(self, tags: Sequence[str]) -> None:
        """Pass it on."""
        self._local.drop(tags)
