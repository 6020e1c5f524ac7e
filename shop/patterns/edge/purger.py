"""Edge caching: deleting from the edge what a change has ended.

Problem: pages are served from in front of the application for minutes, and a price must be seen in seconds.
Method: hear the same broadcasts of invalidated tags as every process's local level, look up which keys carry the tags,
delete those. Twice: a fill may be under way. Its answer was made before the change and is stored after the purge, where
nobody would look for it again, so the same tags are purged once more when every fill that the application lets be kept
for long must have ended. What cannot be known to be fresh is dropped whole: at the start, and whenever the broadcasts
are no longer heard or are heard again, for what was said in between was not.
Switch: ``cache.edge``. Experiment: ``cache-layers``, ``cache-staleness``.
Source: RFC 9111, 4.4 (invalidation); nginx's documentation of ``proxy_cache_path`` and ``proxy_cache_lock``.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shop.clock import Clock
from shop.patterns.caching.levels import Away
from shop.patterns.edge.registry import Registry
from shop.patterns.edge.store import Store

LATE_FILL_S = 2.0
"""Seconds after a purge at which it is repeated. An answer that took the application half of that or longer is given no
long life at the edge (``shop/web/edge.py``), so none that has one is stored later than this."""


@dataclass(frozen=True, slots=True)
class Purged:
    """The answers made from some tags were deleted."""

    tags: tuple[str, ...]
    keys: int
    """How many keys carry the tags."""
    files: int
    """How many of them were kept."""
    late: bool
    """Whether this was the second time, for fills that were under way at the first."""


@dataclass(frozen=True, slots=True)
class Flushed:
    """Every answer was deleted."""

    reason: str
    files: int


Event = Purged | Flushed


class Purger:
    """Deletes what is heard to have ended; a ``Hearer`` of broadcasts.

    Args:
        registry: which keys carry a tag.
        store: where they are deleted.
        clock: measures when to purge again.
        emit: told of each deletion.
    """

    name = "shop-edge"

    def __init__(self, registry: Registry, store: Store, clock: Clock, emit: Callable[[Event], None]) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock
        self._emit = emit
        self._lock = threading.Lock()
        self._again: list[tuple[float, tuple[str, ...] | None]] = []
        """When, and which tags; ``None`` for everything."""

    def hears(self, *, broadcasts: bool) -> None:
        """Drop everything: something may have been said that was not heard."""
        self.flush("heard again" if broadcasts else "not heard")

    def drop(self, tags: Sequence[str]) -> None:
        """Purge what was made from the tags, now and once more."""
        self._note(tuple(tags))  # first: whatever happens now, it is tried again
        self._purge(tuple(tags), late=False)

    def flush(self, reason: str) -> None:
        """Drop everything, now and once more."""
        self._note(None)
        self._emit(Flushed(reason, self._store.flush()))

    def keep_empty(self) -> None:
        """Drop what was stored all the same, while nothing should be."""
        if files := self._store.flush():
            self._emit(Flushed("switched off", files))

    def run_once(self) -> None:
        """Repeat the purges whose time has come."""
        for tags in self._due():
            if tags is None:
                self._emit(Flushed("late fills", self._store.flush()))
            else:
                self._purge(tags, late=True)

    def _purge(self, tags: tuple[str, ...], *, late: bool) -> None:
        try:
            keys = self._registry.keys(tags)
        except Away:
            self._emit(Flushed("registry away", self._store.flush()))
            return
        self._emit(Purged(tags, len(keys), self._store.purge(keys), late))

    def _note(self, tags: tuple[str, ...] | None) -> None:
        with self._lock:
            self._again.append((self._clock.monotonic() + LATE_FILL_S, tags))

    def _due(self) -> list[tuple[str, ...] | None]:
        now = self._clock.monotonic()
        with self._lock:
            due = [tags for moment, tags in self._again if moment <= now]
            self._again = [(moment, tags) for moment, tags in self._again if moment > now]
        return list(dict.fromkeys(due))
