"""Edge caching: deleting from the edge what a change has ended.

Problem: pages are served from in front of the application for minutes, and a price must be seen in seconds.
Method: hear the same broadcasts of invalidated tags as every process's local level, look up which keys carry the tags,
delete those. A fill may be under way: its answer was made before the change and is stored after the purge, where nobody
would look for it again. So each purge is repeated, once a second, until the slowest fill the edge waits for must have
ended. A repetition deletes only what was asked for before the change was known everywhere: the edge sends the moment
along with its question, and it comes back in the head of the answer. What cannot be known to be fresh is dropped whole:
at the start, whenever the broadcasts are no longer heard or are heard again, for what was said in between was not, and
when the registry has lost what was written down.
What cannot be deleted, for a disk that may only be read, say, stays due: it is tried again at every look, and until it
is gone the edge passes everything by and the purger is not well.
Switch: ``cache.edge``. Experiment: ``cache-layers``, ``cache-staleness``.
Source: RFC 9111, 4.4 (invalidation); nginx's documentation of ``proxy_cache_path`` and ``proxy_cache_lock``.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from shop.clock import Clock
from shop.patterns.caching.levels import CacheUnavailable
from shop.patterns.caching.local import TTL_S as LONGEST_COPY_S
from shop.patterns.edge.proxy_cache_files import ProxyCacheFiles
from shop.patterns.edge.surrogate_keys import IndexLost, SurrogateKeyIndex

REPEAT_S = 1.0
"""Seconds between two repetitions: what a late fill can be served for."""
STALE_WORKER_S = LONGEST_COPY_S
"""Seconds after a change in which a worker may still answer from before it: what a copy of its own lives, of which the
worker was not told that it has ended. A lost connection is noticed sooner; but a message may be lost, and a worker that
stood still may answer before it hears."""
SLOWEST_FILL_S = 16.0
"""Seconds the edge waits for an answer: ``proxy_connect_timeout`` and ``proxy_read_timeout`` in its configuration."""
LATE_FILL_S = STALE_WORKER_S + SLOWEST_FILL_S
"""Seconds after a change when no fill from before it can be under way any more."""
MAX_PENDING_TAGS = 5000
"""Tags whose purge may be due again; beyond that what everything was made from is, which is one."""

Tags = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswersPurged:
    """The answers made from some tags were deleted."""

    tags: Tags
    keys: int
    """How many keys carry the tags."""
    files: int
    """How many of them were kept."""
    late: bool
    """Whether this was a repetition, for fills that were under way at the first time."""


@dataclass(frozen=True, slots=True)
class EdgeFlushed:
    """Every answer was deleted."""

    reason: str
    files: int


@dataclass(frozen=True, slots=True)
class PurgeFailed:
    """A deletion failed, and is tried again until it does not. It is told of once, until all is well again."""

    tags: Tags | None
    """``None`` where everything was to go."""
    reason: str


Event = AnswersPurged | EdgeFlushed | PurgeFailed


class _PurgedChange(NamedTuple):
    """What a purge is repeated for."""

    repeat_until: float
    """When no fill from before it can be under way any more, on the monotonic clock in seconds."""
    requested_by: float
    """Unix time in seconds: what was asked for by then may be from before the change."""


class TagPurger:
    """Deletes what is heard to have ended; a ``InvalidationSubscriber`` of broadcasts.

    Args:
        registry: which keys carry a tag.
        store: where they are deleted.
        clock: measures when to purge again.
        emit: told of each deletion.
    """

    name = "shop-edge"

    def __init__(
        self, registry: SurrogateKeyIndex, store: ProxyCacheFiles, clock: Clock, emit: Callable[[Event], None]
    ) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock
        self._emit = emit
        self._lock = threading.Lock()
        self._repeat_at = 0.0
        self._changes: dict[str | None, _PurgedChange] = {}
        """The last of each tag; under ``None``, of everything."""
        self._failing: dict[str | None, str] = {}
        """What could not be deleted the last time, and why."""

    @property
    def fault(self) -> str:
        """What is wrong; empty while everything that has ended is deleted."""
        with self._lock:
            reason = next(iter(self._failing.values()), "")
        if not reason:
            return ""
        meanwhile = "the edge passes everything by" if self._store.is_bypassed else "what has ended is still served"
        return f"{meanwhile}: {reason}"

    def hears(self, *, broadcasts: bool) -> None:
        """Drop everything: something may have been said that was not heard."""
        self.flush("heard again" if broadcasts else "not heard")

    def drop(self, tags: Sequence[str]) -> None:
        """Purge what was made from the tags, and go on with what is still being made."""
        self._schedule(*tags)  # first: whatever happens now, it is tried again
        self._attempt(tags, lambda: self._purge(tags))

    def flush(self, reason: str) -> None:
        """Drop everything, and go on with what is still being made."""
        self._schedule(None)
        self._attempt([None], lambda: self._emit(EdgeFlushed(reason, self._store.flush())))

    def enforce_empty(self) -> None:
        """Drop what was stored all the same, while nothing should be."""
        self._attempt([None], self._keep_empty)

    def run_once(self) -> None:
        """Look at the registry, and repeat the purges for which a fill may be under way.

        That is done at most once a second, and at every look for what failed.
        """
        self._check_index()
        self._repeat()
        with self._lock, suppress(OSError):  # where it cannot be, pages are slow and not old
            if self._store.is_bypassed and not self._failing:
                self._store.disable_bypass()

    def _repeat(self) -> None:
        now = self._clock.monotonic()
        with self._lock:
            if now < self._repeat_at and not self._failing:
                return
            changes = dict(self._changes)
        self._repeat_at = now + REPEAT_S
        until = {tag: change.requested_by for tag, change in changes.items() if tag is not None}
        if None in changes:
            self._attempt([None], lambda: self._flush_outdated("late fills", changes[None].requested_by))
        if until:
            self._attempt([*until], lambda: self._purge_outdated(until))
        self._drop_finished(changes, now)

    def _check_index(self) -> None:
        try:
            self._registry.check_generation()
        except IndexLost as lost:
            self.flush(_reason(lost))
        except CacheUnavailable:
            pass  # nothing is lost by not looking: the broadcasts go over the same server

    def _attempt(self, tags: Sequence[str | None], delete: Callable[[], None]) -> None:
        """Delete. What could not be deleted stays due, and those who wait behind it get their turn."""
        try:
            delete()
        except Exception as error:  # noqa: BLE001 - whatever it is, broadcasts are heard and the loop goes on
            self._failed(tags, str(error) or type(error).__name__)
            return
        with self._lock:
            if None in tags:
                self._failing.clear()
            for tag in tags:
                self._failing.pop(tag, None)

    def _failed(self, tags: Sequence[str | None], reason: str) -> None:
        change = self._change()
        with self._lock:
            is_news = not self._failing
            for tag in tags:
                self._failing[tag] = reason
                self._changes.setdefault(tag, change)  # so that it is tried again
            with suppress(OSError):  # a disk that may only be read: what has ended is served, and the fault says so
                self._store.enable_bypass()
        if is_news:
            self._emit(PurgeFailed(tuple(tag for tag in tags if tag is not None) or None, reason))

    def _keep_empty(self) -> None:
        if files := self._store.flush():
            self._emit(EdgeFlushed("switched off", files))

    def _purge(self, tags: Sequence[str]) -> None:
        try:
            keys = self._registry.keys(tags)
        except CacheUnavailable as away:
            self.flush(_reason(away))
            return
        self._emit(AnswersPurged(tuple(tags), len(keys), self._store.purge(keys), late=False))

    def _purge_outdated(self, until: dict[str, float]) -> None:
        try:
            carrying = self._registry.keys_by_tag(until)
        except IndexLost as lost:
            self.flush(_reason(lost))
            return
        except CacheUnavailable as away:
            self._flush_outdated(_reason(away), max(until.values()))
            return
        outdated: dict[str, float] = {}
        for tag, keys in carrying.items():
            outdated.update((key, max(until[tag], outdated.get(key, 0.0))) for key in keys)
        if files := self._store.purge_outdated(outdated):
            self._emit(AnswersPurged(tuple(until), len(outdated), files, late=True))

    def _flush_outdated(self, reason: str, until: float) -> None:
        if files := self._store.flush(until):
            self._emit(EdgeFlushed(reason, files))

    def _schedule(self, *tags: str | None) -> None:
        change = self._change()
        with self._lock:
            self._changes.update(dict.fromkeys(tags, change))
            if None in tags or len(self._changes) > MAX_PENDING_TAGS:
                self._changes = {None: change}  # it says all that they did

    def _change(self) -> _PurgedChange:
        return _PurgedChange(self._clock.monotonic() + LATE_FILL_S, self._clock.now().timestamp() + STALE_WORKER_S)

    def _drop_finished(self, repeated: dict[str | None, _PurgedChange], now: float) -> None:
        """Forget what was repeated for the last time, unless it failed or was heard of anew meanwhile."""
        with self._lock:
            for tag, change in repeated.items():
                if change.repeat_until <= now and tag not in self._failing and self._changes.get(tag) == change:
                    del self._changes[tag]


def _reason(away: CacheUnavailable) -> str:
    return "registry lost" if isinstance(away, IndexLost) else "registry away"
