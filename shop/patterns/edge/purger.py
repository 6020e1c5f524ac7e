"""Edge caching: deleting from the edge what a change has ended.

Problem: pages are served from in front of the application for minutes, and a price must be seen in seconds.
Method: hear the same broadcasts of invalidated tags as every process's local level, look up which keys carry the tags,
delete those. Twice: a fill may be under way. Its answer was made before the change and is stored after the purge, where
nobody would look for it again, so the same tags are purged once more when every fill that the application lets be kept
for long must have ended. What cannot be known to be fresh is dropped whole: at the start, and whenever the broadcasts
are no longer heard or are heard again, for what was said in between was not. What cannot be deleted, for a disk that
may only be read, say, stays due: it is tried again at every look, and the purger is not well until it is gone.
Switch: ``cache.edge``. Experiment: ``cache-layers``, ``cache-staleness``.
Source: RFC 9111, 4.4 (invalidation); nginx's documentation of ``proxy_cache_path`` and ``proxy_cache_lock``.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from shop.clock import Clock
from shop.patterns.caching.levels import Away
from shop.patterns.edge.registry import Registry
from shop.patterns.edge.store import Store

LATE_FILL_S = 2.0
"""Seconds after a purge at which it is repeated. An answer that took the application half of that or longer is given no
long life at the edge (``shop/web/edge.py``), so none that has one is stored later than this."""


MOST_DUE = 1000
"""Deletions that may wait for their time; beyond that everything is dropped instead, which is one."""

Tags = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Purged:
    """The answers made from some tags were deleted."""

    tags: Tags
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


@dataclass(frozen=True, slots=True)
class PurgeFailed:
    """A deletion failed, and is tried again until it does not. It is told of once."""

    tags: Tags | None
    """``None`` where everything was to go."""
    reason: str


Event = Purged | Flushed | PurgeFailed


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
        self._again: list[tuple[float, Tags | None]] = []
        """When, and which tags; ``None`` for everything."""
        self._failing: dict[Tags | None, str] = {}
        """What could not be deleted the last time, and why."""

    @property
    def fault(self) -> str:
        """What is wrong; empty while everything that has ended is deleted."""
        with self._lock:
            return next((f"what has ended is still served: {reason}" for reason in self._failing.values()), "")

    def hears(self, *, broadcasts: bool) -> None:
        """Drop everything: something may have been said that was not heard."""
        self.flush("heard again" if broadcasts else "not heard")

    def drop(self, tags: Sequence[str]) -> None:
        """Purge what was made from the tags, now and once more."""
        self._note(tuple(tags), LATE_FILL_S)  # first: whatever happens now, it is tried again
        self._attempt(tuple(tags), lambda: self._purge(tuple(tags), late=False))

    def flush(self, reason: str) -> None:
        """Drop everything, now and once more."""
        self._note(None, LATE_FILL_S)
        self._attempt(None, lambda: self._flush(reason))

    def keep_empty(self) -> None:
        """Drop what was stored all the same, while nothing should be."""
        self._attempt(None, self._keep_empty)

    def run_once(self) -> None:
        """Repeat the purges whose time has come."""
        for tags in self._due():
            self._attempt(tags, partial(self._repeat, tags))

    def _attempt(self, tags: Tags | None, delete: Callable[[], None]) -> None:
        """Delete. What could not be deleted stays due, and those who wait behind it get their turn."""
        try:
            delete()
        except Exception as error:  # noqa: BLE001 - whatever it is, broadcasts are heard and the loop goes on
            self._note(tags, 0.0)
            self._failed(tags, str(error) or type(error).__name__)
            return
        with self._lock:
            if tags is None:
                self._failing.clear()
            self._failing.pop(tags, None)

    def _failed(self, tags: Tags | None, reason: str) -> None:
        with self._lock:
            is_news = tags not in self._failing
            self._failing[tags] = reason
        if is_news:
            self._emit(PurgeFailed(tags, reason))

    def _repeat(self, tags: Tags | None) -> None:
        if tags is None:
            self._flush("late fills")
        else:
            self._purge(tags, late=True)

    def _flush(self, reason: str) -> None:
        self._emit(Flushed(reason, self._store.flush()))

    def _keep_empty(self) -> None:
        if files := self._store.flush():
            self._emit(Flushed("switched off", files))

    def _purge(self, tags: Tags, *, late: bool) -> None:
        try:
            keys = self._registry.keys(tags)
        except Away:
            self._flush("registry away")
            return
        self._emit(Purged(tags, len(keys), self._store.purge(keys), late))

    def _note(self, tags: Tags | None, after_s: float) -> None:
        with self._lock:
            self._again.append((self._clock.monotonic() + after_s, tags))
            if len(self._again) > MOST_DUE:
                latest = max(moment for moment, _ in self._again)
                self._again = [(self._clock.monotonic(), None), (latest, None)]

    def _due(self) -> list[Tags | None]:
        now = self._clock.monotonic()
        with self._lock:
            due = [tags for moment, tags in self._again if moment <= now]
            self._again = [(moment, tags) for moment, tags in self._again if moment > now]
        return list(dict.fromkeys(due))
