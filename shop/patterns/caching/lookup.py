"""One look below the local level: read, judge, and have a strategy answer what is not fresh."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from shop.patterns.caching.envelope import CacheEntry
from shop.patterns.caching.events import LookedInVain, LookupFinished, Outcome
from shop.patterns.caching.freshness import EntryFreshness, State
from shop.patterns.caching.levels import CacheUnavailable, ReadResult
from shop.patterns.caching.loader import VALUE_LIMIT_BYTES, CacheLoader, CacheRequest, DoNotCache, LoadResult
from shop.patterns.caching.stampede import StampedeStrategy

FORWARDED: dict[State, Outcome] = {"missing": "miss", "expired": "stale", "invalidated": "stale", "fresh": "stale"}
"""Why a look-up went on to the loader; from a fresh entry, because it was about to expire."""
NOT_TO_COPY = 0.0


class LookupResult(NamedTuple):
    """What a look-up found or made."""

    entry: CacheEntry
    copy_until: float
    """Unix time in seconds until which a copy may be kept; 0 where none may."""


class CacheLookup:
    """Asks the shared level, and the strategy where that has nothing fresh.

    Args:
        filler: knows the level, the rules and who is told.
        guard: decides who loads.
    """

    def __init__(self, filler: CacheLoader, guard: StampedeStrategy) -> None:
        self._filler = filler
        self._level = filler.level
        self._guard = guard
        self._due: dict[str, float] = {}
        """Keys found due for renewal by who may not load, each with the end of the entry that was found.

        The next who may renews that one without another draw; what another process has put in its place is not due."""

    def keeps(self, ask: CacheRequest) -> bool:
        """Tell whether the level may hold an entry for it."""
        return self._level.enabled and self._filler.keeps(ask.policy)

    def read_many(self, asks: Sequence[CacheRequest]) -> list[ReadResult]:
        """Return the readings of several keys in one round trip; empty where the level is away."""
        try:
            return self._level.read_many([(ask.key, ask.tags) for ask in asks]) if asks else []
        except CacheUnavailable:
            return []

    def kept(self, ask: CacheRequest) -> LookupResult | None:
        """Return a fresh entry that the level holds and nobody need renew yet.

        ``None`` for anything else, of which only the time it took is told.
        """
        if not self.keeps(ask):
            return None
        started = time.perf_counter()
        found = self._held(ask, started)
        if found is None:
            self._filler.emit(LookedInVain(self._level.name, time.perf_counter() - started))
        return found

    def _held(self, ask: CacheRequest, started: float) -> LookupResult | None:
        try:
            verdict = self._filler.judged(ask, self._level.read(ask.key, ask.tags))
        except CacheUnavailable:
            return None
        if verdict.state != "fresh" or verdict.entry is None or verdict.entry.negative:
            return None
        renew_at = self._guard.renew_at(ask, verdict.entry)
        if renew_at <= self._filler.now():
            self._due[ask.key] = verdict.entry.fresh_until
            return None
        return self._hit(ask, verdict.entry, renew_at, started)

    def answer(self, ask: CacheRequest, moment: int | None, reading: ReadResult | None = None) -> LookupResult:
        """Return an entry that may be served: kept, or loaded now.

        Args:
            ask: what is wanted.
            moment: changes with each invalidation this process knows of; ``None`` to share nothing.
            reading: what the level holds, where that was read already.

        Raises:
            Exception: what the loader raised.
        """
        if not self.keeps(ask):
            return self._alone(ask, moment, 0.0, away=False)
        started = time.perf_counter()
        verdict: EntryFreshness | None = None
        try:
            if reading is None:
                reading = self._filler.read(ask)
            verdict = self._filler.judged(ask, reading)
            if verdict.state == "fresh" and verdict.entry is not None:
                return self._fresh(ask, verdict.entry, started)
            filled = self._filled(ask, reading, verdict)
        except CacheUnavailable:
            return self._alone(ask, moment, time.perf_counter() - started, away=True)
        except BaseException:
            self._tell(ask, "stale" if verdict is None else FORWARDED[verdict.state], 0.0)
            raise
        return self._told(ask, FORWARDED[verdict.state], filled, started)

    def _fresh(self, ask: CacheRequest, entry: CacheEntry, started: float) -> LookupResult:
        is_due = self._due.pop(ask.key, None) == entry.fresh_until
        renew_at = 0.0 if is_due else self._guard.renew_at(ask, entry)
        if renew_at <= self._filler.now():
            renewed = self._guard.renew(ask, entry)
            if renewed is not None:
                return self._told(ask, "stale", renewed._replace(detail="early"), started)
            renew_at = entry.fresh_until  # it is being done
        return self._hit(ask, entry, renew_at, started)

    def _hit(self, ask: CacheRequest, entry: CacheEntry, renew_at: float, started: float) -> LookupResult:
        ttl_s = int(entry.fresh_until - self._filler.now())
        self._tell(ask, "hit", time.perf_counter() - started, LoadResult(entry), ttl_s)
        return LookupResult(entry, renew_at)

    def _filled(self, ask: CacheRequest, reading: ReadResult, verdict: EntryFreshness) -> LoadResult:
        last = verdict.entry
        if last is not None and self._filler.rules.forgiving and self._filler.throttle.resting(ask.key):
            return LoadResult(last, "stale-if-error", tried=False)
        return self._guard.fill(ask, reading, verdict)

    def _told(self, ask: CacheRequest, outcome: Outcome, filled: LoadResult, started: float) -> LookupResult:
        """Tell how a strategy answered, and say whether a copy may be kept of it."""
        now = self._filler.now()
        spent = time.perf_counter() - started - filled.loading_s
        stale = filled.detail.startswith("stale")
        ttl_s = int(filled.entry.fresh_until - now) if stale else 0
        self._tell(ask, outcome if filled.tried else "hit", spent, filled, ttl_s)
        if stale or filled.away or isinstance(filled.entry.value, DoNotCache):
            return LookupResult(filled.entry, NOT_TO_COPY)
        if len(filled.entry.value) > VALUE_LIMIT_BYTES:
            return LookupResult(filled.entry, NOT_TO_COPY)
        renew_at = self._guard.renew_at(ask, filled.entry)
        return LookupResult(filled.entry, renew_at if renew_at > now else filled.entry.fresh_until)

    def _alone(self, ask: CacheRequest, moment: int | None, spent: float, *, away: bool) -> LookupResult:
        """Answer without the level: its threads share a load where that can be told from reading old state."""
        self._emit_bypass(ask, spent, away=away)
        if moment is not None and self._filler.keeps(ask.policy):
            filled = self._guard.alone(ask, moment)
        else:
            filled = self._filler.load(ask, (), "bypass")
        kept = not away and self._filler.keeps(ask.policy) and not isinstance(filled.entry.value, DoNotCache)
        return LookupResult(filled.entry, filled.entry.fresh_until if kept else NOT_TO_COPY)

    def _emit_bypass(self, ask: CacheRequest, spent: float, *, away: bool) -> None:
        self._filler.emit(LookupFinished(self._level.name, ask.policy.name, "bypass", 0, False, spent, away))

    def _tell(
        self, ask: CacheRequest, outcome: Outcome, spent: float, filled: LoadResult | None = None, ttl_s: int = 0
    ) -> None:
        if filled is None:
            self._filler.emit(LookupFinished(self._level.name, ask.policy.name, outcome, ttl_s, False, spent))
            return
        negative = filled.entry.negative
        self._filler.emit(
            LookupFinished(
                self._level.name,
                "negative" if negative else ask.policy.name,
                outcome,
                ttl_s,
                filled.stored,
                spent,
                filled.away,
                filled.collapsed,
                "negative" if negative else filled.detail,
            )
        )
