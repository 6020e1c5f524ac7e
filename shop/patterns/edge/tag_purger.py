"""Edge cache purging: deletes the responses at the edge that a change has made outdated.

Problem: the edge serves pages for minutes without asking the application, and a new price must be visible in seconds.
Method: the purger receives the same broadcasts of invalidated tags as every process's local cache. It looks up the
cache keys that carry a tag and deletes their responses. A fill may be in progress: its response was made before the
change and is stored after the purge. So the purger repeats each purge once a second until the slowest fill must have
ended. A repetition deletes only responses requested before every worker knew of the change: the edge sends the time of
its request to the application, and the response's head brings it back.
The purger deletes everything when it cannot know which responses are fresh: at its start, when the connection for
broadcasts is lost or comes back (it missed the broadcasts in between), and when the index of keys was lost.
A response that cannot be deleted, on a read-only disk for one, stays pending. The purger tries again in every round.
Until the deletion succeeds, nginx bypasses its cache and the purger reports a fault.
Switch: ``cache.edge``. Experiment: ``cache-layers``, ``cache-staleness``.
Source: RFC 9111, 4.4 (invalidation); nginx's documentation of ``proxy_cache_path`` and ``proxy_cache_lock``.
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from shop.clock import Clock
from shop.patterns.caching.local import TTL_S as LOCAL_TTL_S
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.edge.proxy_cache_files import ProxyCacheFiles
from shop.patterns.edge.surrogate_keys import IndexLost, SurrogateKeyIndex

REPEAT_S = 1.0
"""Seconds between two repetitions: the longest time for which the edge serves a late fill."""
STALE_WORKER_S = LOCAL_TTL_S
"""Seconds after a change in which a worker may still respond with old data: the lifetime of a local entry whose
invalidation the worker missed. A lost connection is noticed sooner. But a message may be lost, and a worker that was
suspended may respond before it receives an invalidation."""
SLOWEST_FILL_S = 16.0
"""Seconds the edge waits for a response: ``proxy_connect_timeout`` and ``proxy_read_timeout`` in its configuration."""
LATE_FILL_S = STALE_WORKER_S + SLOWEST_FILL_S
"""Seconds after a change when every fill with old data has ended."""
MAX_PENDING_TAGS = 5000
"""Pending tags beyond this become one pending purge of everything."""

Tags = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswersPurged:
    """The responses made from some tags were deleted."""

    tags: Tags
    keys: int
    """Number of keys that carry the tags."""
    files: int
    """Number of deleted responses."""
    late: bool
    """Whether this was a repetition, for fills in progress at the first purge."""


@dataclass(frozen=True, slots=True)
class EdgeFlushed:
    """Every response was deleted."""

    reason: str
    files: int


@dataclass(frozen=True, slots=True)
class PurgeFailed:
    """A deletion failed and is tried again. The event is emitted once, until every deletion has succeeded."""

    tags: Tags | None
    """``None`` for a purge of everything."""
    reason: str


Event = AnswersPurged | EdgeFlushed | PurgeFailed


class _PurgedChange(NamedTuple):
    """A change whose purge is repeated."""

    repeat_until: float
    """When every fill with old data has ended, on the monotonic clock in seconds."""
    requested_by: float
    """Unix time in seconds: a response requested by then may have old data."""


class TagPurger:
    """Deletes the responses made from invalidated tags; an ``InvalidationSubscriber``.

    Args:
        index: knows which keys carry a tag.
        files: the responses.
        clock: times the repetitions.
        emit: is called with each event.
    """

    name = "shop-edge"

    def __init__(
        self, index: SurrogateKeyIndex, files: ProxyCacheFiles, clock: Clock, emit: Callable[[Event], None]
    ) -> None:
        self._index = index
        self._files = files
        self._clock = clock
        self._emit = emit
        self._lock = threading.Lock()
        self._repeat_at = 0.0
        self._pending: dict[str | None, _PurgedChange] = {}
        """The last change of each tag; under ``None``, of everything."""
        self._failing: dict[str | None, str] = {}
        """Tags whose last purge failed, and the reason."""

    @property
    def fault(self) -> str:
        """The fault; empty while every outdated response is deleted."""
        with self._lock:
            reason = next(iter(self._failing.values()), "")
        if not reason:
            return ""
        effect = "the edge caches nothing" if self._files.is_bypassed else "outdated responses are still served"
        return f"{effect}: {reason}"

    def set_connected(self, *, connected: bool) -> None:
        """Flush: the purger may have missed broadcasts."""
        self.flush("connected" if connected else "disconnected")

    def invalidate(self, tags: Sequence[str]) -> None:
        """Purge the responses made from the tags, and schedule the repetitions."""
        self._schedule(*tags)  # first: a purge that fails now is tried again
        with self._failures_recorded(tags):
            try:
                keys = self._index.keys(tags)
            except CacheUnavailable as error:
                self.flush(_reason(error))
            else:
                self._emit(AnswersPurged(tuple(tags), len(keys), self._files.purge(keys), late=False))

    def flush(self, reason: str) -> None:
        """Purge everything, and schedule the repetitions."""
        self._schedule(None)
        with self._failures_recorded([None]):
            self._emit(EdgeFlushed(reason, self._files.flush()))

    def enforce_empty(self) -> None:
        """Delete responses that were stored while the edge must not cache."""
        with self._failures_recorded([None]):
            self._flush_outdated("switched off")

    def run_once(self) -> None:
        """Check the index, and repeat the pending purges: once a second, or in every round after a failure."""
        try:
            self._index.check_generation()
        except IndexLost as lost:
            self.flush(_reason(lost))
        except CacheUnavailable:
            pass  # the broadcasts go over the same server: their connection is lost too, which flushes
        self._repeat_pending()
        with self._lock, suppress(OSError):  # if it fails, pages are slow but not outdated
            if self._files.is_bypassed and not self._failing:
                self._files.disable_bypass()

    def _repeat_pending(self) -> None:
        now = self._clock.monotonic()
        with self._lock:
            if now < self._repeat_at and not self._failing:
                return
            pending = dict(self._pending)
        self._repeat_at = now + REPEAT_S
        requested_by = {tag: change.requested_by for tag, change in pending.items() if tag is not None}
        if None in pending:
            with self._failures_recorded([None]):
                self._flush_outdated("late fills", pending[None].requested_by)
        if requested_by:
            with self._failures_recorded([*requested_by]):
                self._purge_outdated(requested_by)
        with self._lock:
            for tag, change in pending.items():
                # A tag that failed, or that was invalidated again meanwhile, stays pending.
                if change.repeat_until <= now and tag not in self._failing and self._pending.get(tag) == change:
                    del self._pending[tag]

    @contextmanager
    def _failures_recorded(self, tags: Sequence[str | None]) -> Iterator[None]:
        """Record whether the purge of some tags succeeded. A failed purge stays pending, and raises nothing."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - after any error, the purger continues
            reason = str(error) or type(error).__name__
            change = self._new_change()
            with self._lock:
                is_first = not self._failing
                for tag in tags:
                    self._failing[tag] = reason
                    self._pending.setdefault(tag, change)
                with suppress(OSError):  # a read-only disk: the edge serves outdated responses, and the fault says so
                    self._files.enable_bypass()
            if is_first:
                self._emit(PurgeFailed(tuple(tag for tag in tags if tag is not None) or None, reason))
            return
        with self._lock:
            if None in tags:
                self._failing.clear()
            for tag in tags:
                self._failing.pop(tag, None)

    def _purge_outdated(self, requested_by: dict[str, float]) -> None:
        """Delete the responses made from some tags and requested by a time, in unix seconds for each tag."""
        try:
            keys_by_tag = self._index.keys_by_tag(requested_by)
        except IndexLost as lost:
            self.flush(_reason(lost))
            return
        except CacheUnavailable as error:
            self._flush_outdated(_reason(error), max(requested_by.values()))
            return
        outdated: dict[str, float] = {}
        for tag, keys in keys_by_tag.items():
            outdated.update((key, max(requested_by[tag], outdated.get(key, 0.0))) for key in keys)
        if files := self._files.purge_outdated(outdated):
            self._emit(AnswersPurged(tuple(requested_by), len(outdated), files, late=True))

    def _flush_outdated(self, reason: str, requested_by: float = math.inf) -> None:
        if files := self._files.flush(requested_by):
            self._emit(EdgeFlushed(reason, files))

    def _schedule(self, *tags: str | None) -> None:
        change = self._new_change()
        with self._lock:
            self._pending.update(dict.fromkeys(tags, change))
            if None in tags or len(self._pending) > MAX_PENDING_TAGS:
                self._pending = {None: change}  # a purge of everything covers every tag

    def _new_change(self) -> _PurgedChange:
        return _PurgedChange(self._clock.monotonic() + LATE_FILL_S, self._clock.now().timestamp() + STALE_WORKER_S)


def _reason(error: CacheUnavailable) -> str:
    return "index lost" if isinstance(error, IndexLost) else "index down"
