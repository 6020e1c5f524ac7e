"""Refresh-ahead: what is really popular is loaded again before it expires, by a thread that nobody waits for.

Problem: with a lock one shopper still waits for the load; with early expiration, too.
Method: every look-up is counted, and the counts decay, so popularity is measured and not listed. When an entry is in
the last fifth of its life and its key is popular, whoever reads it hands the load to a thread of this process and
serves what is there. The thread takes the lock, so one process refreshes. What nobody wants expires and is forgotten.
The queue is bounded: when loads are slow, refreshing gives way and the lock takes over. Keys that are cold or were just
invalidated cannot be foreseen; for those this stands on the lock.
A load runs in a copy of the context it was asked in (request, correlation ids), apart from the one that goes on.
Switch: ``cache.stampede``, ``refresh-ahead``.
Source: Oracle Coherence's manual, "Refresh-Ahead Caching", for the window and its trade-off.
"""

import contextvars
import queue
import threading
from collections.abc import Callable

from shop import threads
from shop.clock import Clock
from shop.patterns.caching.after_fork import in_every_child
from shop.patterns.caching.envelope import CacheEntry
from shop.patterns.caching.events import RefreshDropped
from shop.patterns.caching.loader import CacheLoader, CacheRequest, LoadResult
from shop.patterns.caching.lock_strategy import LockedLoad, StampedeState

WINDOW = 0.2
"""The part of an entry's life in which it is refreshed: the last fifth."""
POPULAR = 10.0
"""Score from which a key is popular: asked for about once in four seconds, in this process alone."""
HALF_LIFE_S = 30.0
"""Seconds after which what was counted counts half."""
KEYS_COUNTED = 4096
"""Keys with a score, at most. When all are taken, a new key waits for the halving that drops the seldom asked."""
QUEUE_LIMIT = 64
"""Loads that wait: at 20 ms each, just over a second of work for the one thread."""

Work = Callable[[], object]
Around = Callable[[contextvars.Context, Work], object]


class HitCounter:
    """How often keys were asked for lately.

    No lock: it is counted on every hit. Two threads that count the same key at once may count one, which changes
    nothing about which keys are popular.

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
        found = scores.get(key)
        if found is not None:
            scores[key] = found + 1.0
        elif len(scores) < self._limit:
            scores[key] = 1.0
        if self._clock.monotonic() >= self._halve_at:
            self._halve()

    def popular(self, key: str) -> bool:
        """Tell whether a key is asked for often."""
        return self._scores.get(key, 0.0) >= POPULAR

    def _halve(self) -> None:
        self._halve_at = self._clock.monotonic() + HALF_LIFE_S
        self._scores = {key: score / 2 for key, score in self._scores.copy().items() if score >= 2.0}


class RefreshWorker:
    """One thread that loads what others will want.

    Args:
        around: runs a load in the context it was asked in.
        limit: loads that may wait.
    """

    def __init__(self, around: Around = lambda context, work: context.run(work), limit: int = QUEUE_LIMIT) -> None:
        self._around = around
        self._limit = limit
        self._start_empty()
        in_every_child(self._start_empty)

    def _start_empty(self) -> None:
        self._queue: queue.Queue[tuple[str, contextvars.Context, Work] | None] = queue.Queue(self._limit)
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; call it after a fork."""
        self._thread = threading.Thread(target=self._run, name="refresh-ahead", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Drop what waits, and wait for the load under way, for so many seconds at most."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        self._queue.put(None)
        thread.join(timeout_s)

    @property
    def fault(self) -> str:
        """What is wrong; empty while the thread lives."""
        return threads.thread_fault(self._thread)

    def offer(self, key: str, work: Work) -> bool:
        """Hand over a load, unless it waits already; tell whether it is in hand."""
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
        while (taken := self._queue.get()) is not None:
            key, context, work = taken
            try:
                self._around(context, work)
            except Exception:  # noqa: BLE001, S110 - the loader's failure was told as an event; the entry still stands
                pass
            finally:
                with self._lock:
                    self._waiting.discard(key)


class RefreshAhead(LockedLoad):
    """Popular keys are refreshed off the request path; for the others one loads.

    Args:
        filler: loads and stores.
        meeting: where all of this process's strategies meet.
        popularity: counts look-ups.
        refresher: loads.
    """

    def __init__(
        self, filler: CacheLoader, meeting: StampedeState, popularity: HitCounter, refresher: RefreshWorker
    ) -> None:
        super().__init__(filler, meeting)
        self.count = popularity.count
        self._popularity = popularity
        self._refresher = refresher

    def renew_at(self, ask: CacheRequest, entry: CacheEntry) -> float:
        """Return the beginning of the window where the key is popular."""
        if not self._popularity.popular(ask.key):
            return entry.fresh_until
        return entry.fresh_until - WINDOW * self._filler.rules.lifetime(ask.policy.ttl_s)

    def renew(self, ask: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Hand it to the thread, and serve it as it is."""
        if not self._filler.throttle.resting(ask.key) and not self._refresher.offer(
            ask.key, lambda: self.refresh(ask, entry, "ahead")
        ):
            self._filler.emit(RefreshDropped(ask.policy.name))
        return None
