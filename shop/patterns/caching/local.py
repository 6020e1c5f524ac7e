"""The local level: values in this process's own memory, in front of the shared level.

Problem: a shared hit still costs a round trip and a thread's turn; for the hottest screens that is most of the answer.
Method: a bounded store of ready bytes. Least recently used goes first: what few shoppers ask for pushes itself out, and
one move in a linked list is all a hit pays for it. Every process has copies of its own, so an invalidation is broadcast
(see ``broadcast``) and drops them everywhere. Copies are held only while this process hears the broadcasts: with the
listener's connection all of them go, and go again when it is back, for what was said in between was not heard. A short
time-to-live bounds what a lost message could do.
A value that was read before an invalidation must not be kept after it. So a reader takes the moment, a count of all
that was dropped, *before* it looks further down, and its value is kept only if nothing was dropped since. One count for
all tags refuses a little more than it must; the next reader keeps it.
Switch: ``cache.local``.
Source: Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013 (invalidation by broadcast, late fills).
"""

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shop.clock import Clock
from shop.patterns.caching.found import digest

TTL_S = 5.0
"""Longest life of a copy. A hot screen is asked for many times a second: a longer one would save next to nothing."""
OVERHEAD_BYTES = 600
"""What a copy costs beside its bytes: its record, its places in the order and among its tags."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy."""

    value: bytes
    digest: str
    """Of the value, taken once, when the copy is made."""
    until: float
    """On the monotonic clock, in seconds."""
    tags: tuple[str, ...]
    size: int


class Local(Protocol):
    """What the cache asks of a local level."""

    @property
    def name(self) -> str:
        """Return its name, as ``Cache-Status`` shows it."""

    def get(self, key: str) -> Kept | None:
        """Return the copy under ``key``, if it may be served."""

    def moment(self) -> int | None:
        """Return the moment, to be taken before looking further down; ``None`` while nothing may be kept."""

    def keep(self, key: str, value: bytes, tags: Sequence[str], ttl_s: float, moment: int) -> bool:
        """Keep a value read since ``moment`` for at most ``ttl_s`` seconds; tell whether it was."""

    def drop(self, tags: Sequence[str]) -> None:
        """Drop every copy that carries one of the tags, and refuse those under way."""


class LocalLevel:
    """Copies in memory, safe to use from many threads.

    One lock guards all of it. A hit holds it for well under a microsecond; without it, a copy could be served or kept
    beside the invalidation that drops it.

    Args:
        limit_bytes: what all copies may take together.
        clock: measures their time.
    """

    name = "shop-local"

    def __init__(self, limit_bytes: int, clock: Clock) -> None:
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._start_empty()
        _survive_forks(self)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._copies: OrderedDict[str, Kept] = OrderedDict()
        self._keys_of: dict[str, set[str]] = {}
        self._bytes = 0
        self._dropped = 0
        self._hears = False

    def get(self, key: str) -> Kept | None:
        """Return the copy under ``key`` unless its time is over, and count it as used."""
        with self._lock:
            kept = self._copies.get(key)
            if kept is None:
                return None
            if kept.until <= self._clock.monotonic():
                self._forget(key)
                return None
            self._copies.move_to_end(key)
            return kept

    def moment(self) -> int | None:
        """Return how often something was dropped so far; ``None`` while broadcasts are not heard."""
        with self._lock:
            return self._dropped if self._hears else None

    def keep(self, key: str, value: bytes, tags: Sequence[str], ttl_s: float, moment: int) -> bool:
        """Keep a value, unless something was dropped since ``moment``; the least recently used make room."""
        size = len(value) + len(key) + OVERHEAD_BYTES
        until = self._clock.monotonic() + min(ttl_s, TTL_S)
        if ttl_s <= 0 or size > self._limit_bytes:
            return False
        kept = Kept(value, digest(value), until, tuple(tags), size)
        with self._lock:
            if moment != self._dropped:
                return False
            self._forget(key)
            self._copies[key] = kept
            self._bytes += size
            for tag in tags:
                self._keys_of.setdefault(tag, set()).add(key)
            while self._bytes > self._limit_bytes:
                self._forget(next(iter(self._copies)))
            return True

    def drop(self, tags: Sequence[str]) -> None:
        """Drop every copy that carries one of the tags; values under way are not kept any more."""
        with self._lock:
            self._dropped += 1
            for tag in tags:
                for key in tuple(self._keys_of.get(tag, ())):
                    self._forget(key)

    def hears(self, *, broadcasts: bool) -> None:
        """Note that broadcasts are heard from now on, or no longer; start from nothing either way."""
        with self._lock:
            self._dropped += 1
            self._copies.clear()
            self._keys_of.clear()
            self._bytes = 0
            self._hears = broadcasts

    def _forget(self, key: str) -> None:
        kept = self._copies.pop(key, None)
        if kept is None:
            return
        self._bytes -= kept.size
        for tag in kept.tags:
            keys = self._keys_of[tag]
            keys.discard(key)
            if not keys:
                del self._keys_of[tag]


class SwitchedOffLocal:
    """A local level that is neither read nor filled, but still drops what is invalidated.

    Args:
        local: the level as it will be when it is switched on again.
    """

    def __init__(self, local: Local) -> None:
        self.name = local.name
        self._local = local

    def get(self, key: str) -> Kept | None:
        """Return nothing."""
        return None

    def moment(self) -> int | None:
        """Say that nothing may be kept."""
        return None

    def keep(self, key: str, value: bytes, tags: Sequence[str], ttl_s: float, moment: int) -> bool:
        """Refuse it."""
        return False

    def drop(self, tags: Sequence[str]) -> None:
        """Pass it on."""
        self._local.drop(tags)


def _survive_forks(level: LocalLevel) -> None:
    """Empty the level in a child: no listener came along, and its lock may have been held by a thread that did not."""
    reference = weakref.ref(level)

    def in_child() -> None:
        if (found := reference()) is not None:
            found._start_empty()

    os.register_at_fork(after_in_child=in_child)
