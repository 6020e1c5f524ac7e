"""One load in all processes, and what everybody else does meanwhile.

Method: one thread of a process leads (``flight``), and of all processes' leaders the one that holds the lock loads (see
``lock``). Whoever loses gets the expired value at once while its class allows that; where there is none, it waits to be
woken and reads what the winner stored, or shares its failure. It never asks the database, unless its patience ends
first, or the winner's answer was none to be stored. What wakes it may be lost and whoever it waits for may have died,
so it looks by itself now and then (see ``waiting``). After an invalidation all of that begins anew, under another name:
a load from before it is worth nothing to whoever comes later.
Switch: ``cache.stampede``, ``lock`` and ``lock+early``.
Source: Nishtala et al., NSDI 2013, 3.2.1 (leases); Vattani et al., VLDB 2015 (see ``early``).
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from shop.patterns.caching.early import refresh_at
from shop.patterns.caching.envelope import CacheEntry
from shop.patterns.caching.events import FillAwaited, LockLost, Why
from shop.patterns.caching.fill_waiters import FillWaiters
from shop.patterns.caching.freshness import EntryFreshness
from shop.patterns.caching.levels import CacheUnavailable, ReadResult, TagVersions
from shop.patterns.caching.loader import CacheLoader, CacheRequest, LoadResult
from shop.patterns.caching.lock import LoadLease, LockWatchdog, name_of
from shop.patterns.caching.single_flight import SingleFlight, StillFlying
from shop.patterns.caching.stampede import NoProtection, unless_unchanged, why

PATIENCE_S = 6.0
"""Longest wait for somebody else's load: more than a statement may take on a server that hangs (5.5 s), and than a dead
holder's lock stands."""


@dataclass(frozen=True, slots=True)
class StampedeState:
    """Where the threads and processes that want the same meet. One a process."""

    flights: SingleFlight = field(default_factory=SingleFlight)
    waiting: FillWaiters = field(default_factory=FillWaiters)
    watchdog: LockWatchdog = field(default_factory=LockWatchdog)
    patience_s: float = PATIENCE_S


class _InvalidatedDuringLoad(Exception):
    """The tags were invalidated while this load was waited for: its result is worth nothing any more."""

    def __init__(self, reading: ReadResult) -> None:
        super().__init__()
        self.reading = reading


class LockedLoad(NoProtection):
    """One thread of one process loads.

    Args:
        filler: loads and stores.
        meeting: where all of this process's strategies meet.
    """

    def __init__(self, filler: CacheLoader, meeting: StampedeState | None = None) -> None:
        super().__init__(filler)
        self._meeting = meeting or StampedeState()

    def fill(self, ask: CacheRequest, reading: ReadResult, verdict: EntryFreshness) -> LoadResult:
        """Load if nobody else does; else serve what expired, or wait."""
        deadline = time.monotonic() + self._meeting.patience_s
        while True:
            claim = self._claimed(ask, reading)
            name = name_of(ask.key, (*claim.versions, claim.moment))
            try:
                lead = partial(self._lead, ask, name, claim, verdict, deadline)
                last = self._filler.meanwhile(ask, verdict.entry)
                return self._share(ask, name, lead, partial(self._impatient, ask, name, claim), last, deadline)
            except _InvalidatedDuringLoad as overtaken:
                reading = overtaken.reading
                verdict = self._filler.judged(ask, reading)
                if verdict.state == "fresh" and verdict.entry is not None:
                    return LoadResult(verdict.entry, collapsed=True)

    def alone(self, ask: CacheRequest, moment: object) -> LoadResult:
        """Let one thread load for all that came since the last invalidation."""
        deadline = time.monotonic() + self._meeting.patience_s
        work = partial(self._filler.load, ask, (), "bypass")
        return self._share(ask, (ask.key, moment), work, work, None, deadline)

    def refresh(self, ask: CacheRequest, entry: CacheEntry, why: Why) -> LoadResult | None:
        """Renew an entry that is still fresh, unless somebody is at it; ``None`` if so, or if it is done already."""
        name = name_of(ask.key, entry.versions)
        try:
            return self._meeting.flights.fly((name, why), partial(self._refresh_led, ask, name, entry, why), 0)[0]
        except (StillFlying, CacheUnavailable):
            return None

    def _share(
        self,
        ask: CacheRequest,
        name: object,
        work: Callable[[], LoadResult],
        instead: Callable[[], LoadResult],
        last: CacheEntry | None,
        deadline: float,
    ) -> LoadResult:
        """Do the work in the flight of that name, or take what whoever leads it brings."""
        started = time.monotonic()
        try:
            filled, own = self._meeting.flights.fly(name, work, 0.0 if last is not None else deadline - started)
        except StillFlying:
            if last is not None:
                return LoadResult(last, "stale-while-loading", tried=False)
            self._waited(ask, "thread", started, "gave-up")
            return instead()
        if own:
            return filled
        self._waited(ask, "thread", started, "filled")
        return filled._replace(stored=False, collapsed=True, loading_s=0.0)

    def _lead(
        self, ask: CacheRequest, name: str, claim: TagVersions, verdict: EntryFreshness, deadline: float
    ) -> LoadResult:
        """Take the lock and load, or wait for the process that holds it."""
        if ask.policy.negative:  # mostly nothing will be stored, and who waited would have waited for nothing
            return self._filler.fill(ask, claim, why(verdict))
        lease, awaited = LoadLease(name), ""
        started = time.monotonic()
        with self._meeting.waiting.expecting(name) as woken:
            while True:
                try:
                    mine, reading, holder, ended = self._filler.level.take(ask.key, ask.tags, lease)
                except CacheUnavailable:
                    return self._filler.load(ask, (), "bypass", verdict.entry)._replace(away=True)
                found = self._filler.judged(ask, reading)
                if found.state == "fresh" or reading.versions != claim.versions:
                    return self._done(ask, lease, found, reading, started, mine=mine)
                if awaited and ended.endswith(awaited):
                    if mine:
                        self._filler.level.release(lease)
                    self._waited(ask, "process", started, "in-vain")
                    return self._after_in_vain(ask, claim, verdict, failed=ended.startswith("failed"))
                if mine:
                    return self._under(ask, lease, claim, why(verdict), verdict.entry)
                if (last := self._filler.meanwhile(ask, verdict.entry)) is not None:
                    return LoadResult(last, "stale-while-loading", tried=False)
                if time.monotonic() >= deadline:
                    self._waited(ask, "process", started, "gave-up")
                    return self._impatient(ask, name, claim)
                awaited = holder
                woken.wait(min(self._meeting.waiting.recheck_s, max(0.0, deadline - time.monotonic())))
                woken.clear()

    def _after_in_vain(
        self, ask: CacheRequest, claim: TagVersions, verdict: EntryFreshness, *, failed: bool
    ) -> LoadResult:
        """Answer where what was waited for has stored nothing: share a failure, and wait for no other's answer."""
        if failed:
            return self._filler.failed_elsewhere(ask, verdict.entry)
        return self._filler.fill(ask, claim, why(verdict), verdict.entry)

    def _done(
        self,
        ask: CacheRequest,
        lease: LoadLease,
        found: EntryFreshness,
        reading: ReadResult,
        started: float,
        *,
        mine: bool,
    ) -> LoadResult:
        """Take what another process has stored meanwhile.

        Raises:
            _Overtaken: the tags were invalidated meanwhile, and nobody has stored anything newer yet.
        """
        if mine:
            self._filler.level.release(lease)
        if found.state != "fresh" or found.entry is None:
            raise _InvalidatedDuringLoad(reading)
        self._waited(ask, "process", started, "filled")
        return LoadResult(found.entry, collapsed=True)

    def _refresh_led(self, ask: CacheRequest, name: str, entry: CacheEntry, why: Why) -> LoadResult | None:
        lease = LoadLease(name)
        mine, reading, *_ = self._filler.level.take(ask.key, ask.tags, lease)
        if not mine:
            return None
        found = self._filler.judged(ask, reading)
        if found.state != "fresh" or found.entry is None or found.entry.fresh_until > entry.fresh_until:
            self._filler.level.release(lease)  # somebody was faster, or it was invalidated: neither is this one's to do
            return None
        return unless_unchanged(self._under(ask, lease, self._claimed_anew(ask, entry), why, entry), entry)

    def _under(
        self, ask: CacheRequest, lease: LoadLease, claim: TagVersions, why: Why, last: CacheEntry | None
    ) -> LoadResult:
        """Load under the lock, extended for as long as the load takes; what follows gives it back."""

        def load() -> bytes:
            with self._meeting.watchdog.keeping(lease, self._extend, self._lost):
                return ask.load()

        return self._filler.fill(replace(ask, load=load), claim, why, last, lease)

    def _extend(self, lease: LoadLease) -> bool:
        try:
            return self._filler.level.extend(lease)
        except CacheUnavailable:
            return True  # nobody knows; ask again

    def _lost(self) -> None:
        self._filler.emit(LockLost(self._filler.level.name))

    def _impatient(self, ask: CacheRequest, name: str, claim: TagVersions) -> LoadResult:
        """Load beside whoever has been loading for too long; once a process, or all who waited would do it at once."""
        work = partial(self._filler.fill, ask, claim, "wait_timeout")
        try:
            return self._meeting.flights.fly((name, "wait_timeout"), work, self._meeting.patience_s)[0]
        except StillFlying:
            return work()

    def _waited(
        self,
        ask: CacheRequest,
        on: Literal["thread", "process"],
        since: float,
        ended: Literal["filled", "in-vain", "gave-up"],
    ) -> None:
        self._filler.emit(FillAwaited(ask.policy.name, on, time.monotonic() - since, ended))


class LockedEarly(LockedLoad):
    """One loads, and mostly before the end.

    Args:
        filler: loads and stores.
        meeting: where all of this process's strategies meet.
        draw: returns random numbers, 0 to 1.
    """

    def __init__(
        self, filler: CacheLoader, meeting: StampedeState | None = None, draw: Callable[[], float] = random.random
    ) -> None:
        super().__init__(filler, meeting)
        self._draw = draw

    def renew_at(self, ask: CacheRequest, entry: CacheEntry) -> float:
        """Draw it, as :class:`Early` does."""
        return refresh_at(entry.fresh_until, entry.load_s, self._draw())

    def renew(self, ask: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Renew it if nobody else is at it."""
        return None if self._filler.throttle.resting(ask.key) else self.refresh(ask, entry, "early")
