"""Refresh-ahead: a background thread loads popular keys again before they expire, so that no reader waits.

Problem: with a lock, one shopper still waits for the load; with early expiration, too.
Method: every look-up is counted, and the counts decay, so popularity is measured and not configured. When an entry is
in the last fifth of its life and its key is popular, a reader hands the load to the background thread and serves the
entry. The thread takes the lock, so only one process refreshes. An unpopular entry expires and is forgotten.
The queue is bounded: when loads are slow, refreshes are dropped and the lock takes over. Keys that are cold or were
just invalidated cannot be foreseen; for those this strategy uses the lock.
A load runs in a copy of its request's context (request, correlation ids).
Switch: ``cache.stampede``, ``refresh-ahead``.
Source: Oracle Coherence's manual, "Refresh-Ahead Caching", for the window and its trade-off.
"""

import contextvars
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from shop import threads
from shop.clock import Clock
from shop.patterns.caching import nested_reads
from shop.patterns.caching.entry import CacheEntry
from shop.patterns.caching.events import RefreshDropped
from shop.patterns.caching.loader import CacheLoader, CacheRequest, LoadResult
from shop.patterns.caching.lock_strategy import LockedLoad, StampedeState

WINDOW = 0.2
"""The part of an entry's life in which it is refreshed: the last fifth."""
POPULAR = 10.0
"""Score from which a key is popular: about one request in four seconds, in this process alone."""
HALF_LIFE_S = 30.0
"""Seconds after which a count is halved."""
KEYS_COUNTED = 4096
"""Keys with a score, at most. When all are taken, a new key waits for the halving, which drops the rare keys."""
QUEUE_LIMIT = 64
"""The most loads that wait. At 20 ms each, they are just over a second of work for the one thread."""

Work = Callable[[], object]
RunInContext = Callable[[contextvars.Context, Work], object]


class HitCounter:
    """Counts how often keys were requested lately.

    It takes no lock, since every hit is counted. If two threads count the same key at once, one count may be lost; the
    same keys stay popular.

    Args:
        clock: measures the half-life.
        limit: how many keys are counted.
    """

    def __init__(self, clock: Clock, limit: int = KEYS_COUNTED) -> None:
        self._clock = clock
        self._limit = limit
        self._scores: dict[str, float] = {}
        self._halve_at = clock.monotonic() + HALF_LIFE_S

    def count(self, key: str) -> None:
        """Count one look-up."""
        scores = self._scores
        score = scores.get(key)
        if score is not None:
            scores[key] = score + 1.0
        elif len(scores) < self._limit:
            scores[key] = 1.0
        if self._clock.monotonic() >= self._halve_at:
            self._halve_at = self._clock.monotonic() + HALF_LIFE_S
            self._scores = {key: score / 2 for key, score in self._scores.copy().items() if score >= 2.0}

    def is_popular(self, key: str) -> bool:
        """Return whether a key is requested often."""
        return self._scores.get(key, 0.0) >= POPULAR


class RefreshWorker:
    """One background thread that loads popular keys.

    Args:
        run_in_context: runs a load in the context of its request.
        limit: loads that may wait.
    """

    def __init__(
        self, run_in_context: RunInContext = lambda context, work: context.run(work), limit: int = QUEUE_LIMIT
    ) -> None:
        self._run_in_context = run_in_context
        self._limit = limit
        self._reset()
        threads.reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._queue: queue.Queue[tuple[str, contextvars.Context, Work] | None] = queue.Queue(self._limit)
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; call it after a fork."""
        self._thread = threading.Thread(target=self._run, name="refresh-ahead", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Drop the waiting loads, and wait for the load in progress, at most ``timeout_s``; return whether it ended."""
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put(None)
        thread.join(timeout_s)
        return not thread.is_alive()

    @property
    def fault(self) -> str:
        """Return the fault of the thread; empty while it lives."""
        return threads.thread_fault(self._thread)

    @property
    def pending_loads(self) -> int:
        """Return how many loads wait or run."""
        return len(self._waiting)

    def submit(self, key: str, work: Work) -> bool:
        """Queue a load, unless one of the same key waits already; return whether one is queued."""
        with self._lock:
            if key in self._waiting:
                return True
            if self._thread is None:
                return False
            try:
                self._queue.put_nowait((key, contextvars.copy_context(), work))
            except queue.Full:
                return False
            self._waiting.add(key)
            return True

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            key, context, work = item
            try:
                self._run_in_context(context, work)
            except Exception:  # noqa: BLE001, S110 - the failure was emitted as an event; the entry is still served
                pass
            finally:
                with self._lock:
                    self._waiting.discard(key)


class RefreshAhead(LockedLoad):
    """Popular keys are refreshed by a background thread; for the others one reader loads.

    Args:
        loader: loads and stores.
        state: the loads in progress in this process.
        hit_counter: counts look-ups.
        worker: runs the refreshes.
    """

    def __init__(
        self, loader: CacheLoader, state: StampedeState, hit_counter: HitCounter, worker: RefreshWorker
    ) -> None:
        super().__init__(loader, state)
        self.count = hit_counter.count
        self._hit_counter = hit_counter
        self._worker = worker

    def refresh_at(self, request: CacheRequest, entry: CacheEntry) -> float:
        """Return the beginning of the window if the key is popular."""
        if not self._hit_counter.is_popular(request.key):
            return entry.fresh_until
        return entry.fresh_until - WINDOW * self._loader.options.lifetime(request.policy.ttl_s)

    def refresh_early(self, request: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Hand the refresh to the thread, and serve the entry as it is; within a load, refresh it at once."""
        if self._loader.backoff.is_backing_off(request.key):
            return None
        if nested_reads.is_loading():
            return self.refresh_under_lock(request, entry, "ahead")
        if not self._worker.submit(request.key, lambda: self.refresh_under_lock(request, entry, "ahead")):
            self._loader.emit(RefreshDropped(request.policy.name))
        return None
