"""The two strategies with a lock: of all readers in all processes, one loads.

Method: one thread of a process leads (see ``single_flight``), and of all leaders the holder of the lock loads (see
``lock``). The other readers return the expired value during its stale-while-revalidate time. After that time they wait
for the holder of the lock and read again: they take the value that it stored, or share its failure. They query the
database only after ``max_wait_s``, or if the holder's value may not be stored. A reader whose request has less time
waits for less, and then fails: a load for nobody would only add to the trouble. The message that wakes them may be
lost, and the holder may have died. So they also read again at an interval. After an invalidation, readers use another
lock name: a load that began before the invalidation has no valid value for them.
``LockedLoad`` loads when there is no fresh entry. ``LockWithEarlyExpiry``, the default, also refreshes an entry before
its expiry, at a random time (see ``entry.xfetch``).
Switch: ``cache.stampede``, ``lock`` and ``lock+early``.
Source: Nishtala et al., NSDI 2013, 3.2.1 (leases); Vattani et al., VLDB 2015 (XFetch).
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from shop.patterns.caching.cold_fill_limit import ColdFillLimit
from shop.patterns.caching.entry import CacheEntry, EntryFreshness, xfetch
from shop.patterns.caching.events import FillAwaited, LoadReason, LockLost
from shop.patterns.caching.levels import ReadResult, TagVersions
from shop.patterns.caching.loader import CacheLoader, CacheRequest, LoadResult
from shop.patterns.caching.lock import FillWaiters, LoadLease, LockWatchdog, lock_name
from shop.patterns.caching.single_flight import SingleFlight, WaitTimeout
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.resilience import deadlines

MAX_WAIT_S = 6.0
"""The longest wait for the load of another reader. A statement on a server that hangs ends earlier (after 5.5 s), and
so does the lock of a dead holder."""


@dataclass(frozen=True, slots=True)
class StampedeState:
    """The loads in progress, shared by all threads and all caches of a process. One a process."""

    single_flight: SingleFlight = field(default_factory=SingleFlight)
    fill_waiters: FillWaiters = field(default_factory=FillWaiters)
    watchdog: LockWatchdog = field(default_factory=LockWatchdog)
    fill_limit: ColdFillLimit = field(default_factory=ColdFillLimit)
    max_wait_s: float = MAX_WAIT_S
    monotonic: Callable[[], float] = time.monotonic
    """Measures the waits, in seconds."""


class InvalidatedDuringLoad(Exception):
    """The tags were invalidated while a thread waited for a load: the value of that load is not valid."""

    def __init__(self, reading: ReadResult) -> None:
        super().__init__()
        self.reading = reading


class LockedLoad:
    """One thread of one process loads.

    Args:
        loader: loads and stores.
        state: the loads in progress in this process.
    """

    def __init__(self, loader: CacheLoader, state: StampedeState | None = None) -> None:
        self._loader = loader
        self._state = state or StampedeState()

    def fill(self, request: CacheRequest, reading: ReadResult, freshness: EntryFreshness) -> LoadResult:
        """Load if no other reader does; otherwise serve the expired value, or wait."""
        load = self._state.fill_limit.bound(request.load, self._loader.options.make_load_error)
        request = replace(request, load=load)
        deadline = self._state.monotonic() + self._max_wait_s()
        while True:
            versions = self._loader.tag_versions(request, reading)
            name = _lock_name(request, versions)
            lead = partial(self._lead, request, name, versions, freshness, deadline)
            after_timeout = partial(self._load_after_timeout, request, name, versions)
            stale = self._loader.stale_while_revalidate(request, freshness.entry)
            try:
                return self._share(request, name, lead, after_timeout, stale, deadline)
            except InvalidatedDuringLoad as invalidated:
                reading = invalidated.reading
                freshness = self._loader.check_freshness(request, reading)
                if freshness.state == "fresh" and freshness.entry is not None:
                    return LoadResult(freshness.entry, collapsed=True)

    def _max_wait_s(self) -> float:
        """Return the longest wait that begins now."""
        return min(self._state.max_wait_s, deadlines.remaining())

    def _share(
        self,
        request: CacheRequest,
        name: object,
        work: Callable[[], LoadResult],
        after_timeout: Callable[[], LoadResult],
        stale: CacheEntry | None,
        deadline: float,
    ) -> LoadResult:
        """Do the work, or share the result of the thread that does it; a thread with a stale value does not wait."""
        started = self._state.monotonic()
        try:
            max_wait_s = 0.0 if stale is not None else deadline - started
            result, own = self._state.single_flight.do(name, work, max_wait_s)
        except WaitTimeout:
            if stale is not None:
                return LoadResult(stale, "stale-while-loading", attempted=False)
            self._emit_wait(request, "thread", started, "gave-up")
            if deadlines.remaining() <= 0:
                raise self._loader.options.make_load_error() from None
            return after_timeout()
        if own:
            return result
        self._emit_wait(request, "thread", started, "filled")
        return result._replace(stored=False, collapsed=True, loading_s=0.0)

    def _lead(
        self, request: CacheRequest, name: str, versions: TagVersions, freshness: EntryFreshness, deadline: float
    ) -> LoadResult:
        """Take the lock and load, or wait for the process that holds it."""
        if request.policy.negative:  # such a load seldom stores anything, so waiting for it is seldom of use
            return self._loader.load_and_store(request, versions, freshness.load_reason)
        level, last, lease, awaited = self._loader.level, freshness.entry, LoadLease(name), ""
        started = self._state.monotonic()
        with self._state.fill_waiters.subscribe(name) as woken:
            while True:
                try:
                    acquired, reading, holder, ending = level.acquire_and_read(request.key, request.tags, lease)
                except CacheUnavailable:
                    return self._loader.load(request, (), "bypass", last)._replace(level_down=True)
                present = self._loader.check_freshness(request, reading)
                has_changed = present.state == "fresh" or reading.versions != versions.versions
                # The note about a load that stored nothing ends with the token of its lock.
                stored_nothing = awaited != "" and ending.endswith(awaited)
                if acquired and not has_changed and not stored_nothing:
                    return self._load_holding_lock(request, lease, versions, freshness.load_reason, last)
                if acquired:
                    level.release(lease)
                if has_changed:
                    return self._serve_changed(request, reading, present, started)
                if stored_nothing:
                    return self._share_ending(request, versions, freshness, ending, started)
                if (stale := self._loader.stale_while_revalidate(request, last)) is not None:
                    return LoadResult(stale, "stale-while-loading", attempted=False)
                if self._state.monotonic() >= deadline:
                    self._emit_wait(request, "process", started, "gave-up")
                    return self._load_after_timeout(request, name, versions)
                awaited = holder
                woken.wait(min(self._state.fill_waiters.recheck_s, max(0.0, deadline - self._state.monotonic())))
                woken.clear()

    def _load_holding_lock(
        self, request: CacheRequest, lease: LoadLease, versions: TagVersions, why: LoadReason, last: CacheEntry | None
    ) -> LoadResult:
        """Load while the watchdog extends the lock; ``load_and_store`` releases it."""
        level = self._loader.level

        def extend(held: LoadLease) -> bool:
            try:
                return level.extend(held)
            except CacheUnavailable:
                return True  # unknown; the watchdog tries again

        def load() -> bytes:
            on_lost = partial(self._loader.emit, LockLost(level.name))
            with self._state.watchdog.extending(lease, extend, on_lost):
                return request.load()

        return self._loader.load_and_store(replace(request, load=load), versions, why, last, lease)

    def _serve_changed(
        self, request: CacheRequest, reading: ReadResult, present: EntryFreshness, started: float
    ) -> LoadResult:
        """Serve the entry that another process has stored meanwhile.

        Raises:
            InvalidatedDuringLoad: the tags were invalidated meanwhile, and no newer entry is stored yet.
        """
        if present.state != "fresh" or present.entry is None:
            raise InvalidatedDuringLoad(reading)
        self._emit_wait(request, "process", started, "filled")
        return LoadResult(present.entry, collapsed=True)

    def _share_ending(
        self, request: CacheRequest, versions: TagVersions, freshness: EntryFreshness, ending: str, started: float
    ) -> LoadResult:
        """Share the failure of another process's load; load if that load had a value that may not be stored."""
        self._emit_wait(request, "process", started, "in-vain")
        if ending.startswith("failed"):
            return self._loader.share_failure(request, freshness.entry)
        return self._loader.load_and_store(request, versions, freshness.load_reason, freshness.entry)

    def _load_after_timeout(self, request: CacheRequest, name: str, versions: TagVersions) -> LoadResult:
        """Load beside a load that takes too long; once a process, or all waiting threads would load at once."""
        work = partial(self._loader.load_and_store, request, versions, "wait_timeout")
        try:
            return self._state.single_flight.do((name, "wait_timeout"), work, self._max_wait_s())[0]
        except WaitTimeout:
            return work()

    def _emit_wait(
        self,
        request: CacheRequest,
        on: Literal["thread", "process"],
        since: float,
        ended: Literal["filled", "in-vain", "gave-up"],
    ) -> None:
        self._loader.emit(FillAwaited(request.policy.name, on, self._state.monotonic() - since, ended))

    def load_uncached(self, request: CacheRequest, invalidation_count: object) -> LoadResult:
        """Load without a level, in one thread for all threads that came since the last invalidation."""
        deadline = self._state.monotonic() + self._max_wait_s()
        work = partial(self._loader.load, request, (), "bypass")
        return self._share(request, (request.key, invalidation_count), work, work, None, deadline)

    def refresh_at(self, request: CacheRequest, entry: CacheEntry) -> float:
        """Return its expiry."""
        return entry.fresh_until

    def refresh_early(self, request: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Serve it as it is."""
        return None

    def refresh_under_lock(self, request: CacheRequest, entry: CacheEntry, why: LoadReason) -> LoadResult | None:
        """Refresh a fresh entry; ``None`` if another thread or process does it, has done it, or if the load fails.

        It takes the lock of ``fill``: if the entry expires during the refresh, its readers do not load it as well.
        """

        def refresh() -> LoadResult | None:
            versions = self._loader.tag_versions_of(request, entry)
            lease = LoadLease(_lock_name(request, versions))
            attempt = self._loader.level.acquire_and_read(request.key, request.tags, lease)
            if not attempt.acquired:
                return None
            present = self._loader.check_freshness(request, attempt.reading)
            if present.state != "fresh" or present.entry is None or present.entry.fresh_until > entry.fresh_until:
                self._loader.level.release(lease)  # another process was faster, or the entry was invalidated
                return None
            result = self._load_holding_lock(request, lease, versions, why, entry)
            return None if result.detail else result  # stale: the fresh entry is better

        try:
            return self._state.single_flight.do((request.key, entry.versions, why), refresh, 0)[0]
        except (WaitTimeout, CacheUnavailable):
            return None


class LockWithEarlyExpiry(LockedLoad):
    """One thread of one process loads, mostly before the expiry.

    Args:
        loader: loads and stores.
        state: the loads in progress in this process.
        draw: returns random numbers, 0 to 1.
    """

    def __init__(
        self, loader: CacheLoader, state: StampedeState | None = None, draw: Callable[[], float] = random.random
    ) -> None:
        super().__init__(loader, state)
        self._draw = draw

    def refresh_at(self, request: CacheRequest, entry: CacheEntry) -> float:
        """Draw it, as :class:`EarlyExpiry` does."""
        return xfetch(entry.fresh_until, entry.load_s, self._draw())

    def refresh_early(self, request: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Refresh it, unless another thread or process does."""
        if self._loader.backoff.is_backing_off(request.key):
            return None
        return self.refresh_under_lock(request, entry, "early")


def _lock_name(request: CacheRequest, versions: TagVersions) -> str:
    """Return the name of the lock for a load from these tag versions."""
    return lock_name(request.key, (*versions.versions, versions.any_version))
