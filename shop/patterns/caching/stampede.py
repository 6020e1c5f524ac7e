"""Who loads when many want the same: the strategies, from nothing at all to exactly one in all processes.

Problem: a hot entry ends, and everybody who asks within the time of one load runs that load. The database, sized for
one in fifty requests, gets all of them.
Method: a strategy is asked when nothing fresh is there (``fill``), and when a fresh entry is near its end (``renew``).
``NoProtection`` lets everybody load. ``EarlyExpiry`` draws who refreshes before the end, and cannot help where nothing
is there. ``LockedLoad`` lets one load; ``LockedEarly``, the default, mostly before the end (see ``locked``).
``RefreshAhead`` has popular keys refreshed by a thread of its own (see ``refresh``).
Switch: ``cache.stampede``. Experiment: ``cache-stampede``.
Source: Nishtala et al., NSDI 2013, 3.2.1 (leases); Vattani et al., VLDB 2015 (see ``early``).
"""

import random
from collections.abc import Callable
from typing import Protocol

from shop.patterns.caching.early import refresh_at
from shop.patterns.caching.envelope import CacheEntry
from shop.patterns.caching.events import Why
from shop.patterns.caching.freshness import EntryFreshness
from shop.patterns.caching.levels import ReadResult, TagVersions
from shop.patterns.caching.loader import CacheLoader, CacheRequest, LoadResult


class StampedeStrategy(Protocol):
    """A strategy against stampedes."""

    def renew_at(self, ask: CacheRequest, entry: CacheEntry) -> float:
        """Return the unix time from which this reader should renew a fresh entry; its end if not before."""

    def renew(self, ask: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Renew an entry that is still fresh, or have it renewed; ``None`` to serve it as it is. Never waits."""

    def fill(self, ask: CacheRequest, reading: ReadResult, verdict: EntryFreshness) -> LoadResult:
        """Answer what no fresh entry answers."""

    def alone(self, ask: CacheRequest, moment: object) -> LoadResult:
        """Answer where there is no level to fill.

        Args:
            ask: what is wanted.
            moment: changes with each invalidation this process knows of.
        """


class NoProtection:
    """Everybody loads."""

    def __init__(self, filler: CacheLoader) -> None:
        self._filler = filler

    def renew_at(self, ask: CacheRequest, entry: CacheEntry) -> float:
        """Never before its end."""
        return entry.fresh_until

    def renew(self, ask: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Serve it as it is."""
        return None

    def fill(self, ask: CacheRequest, reading: ReadResult, verdict: EntryFreshness) -> LoadResult:
        """Load and store."""
        return self._filler.fill(ask, self._claimed(ask, reading), why(verdict), verdict.entry)

    def alone(self, ask: CacheRequest, moment: object) -> LoadResult:
        """Load."""
        return self._filler.load(ask, (), "bypass")

    def _claimed(self, ask: CacheRequest, reading: ReadResult) -> TagVersions:
        """Return how the tags stand; asked only where the reading from before does not tell all of it."""
        known = tuple([version for version in reading.versions if version is not None])
        if len(known) < len(reading.versions) or (ask.finds_tags and reading.moment is None):
            return self._filler.claim(ask)
        return TagVersions(known, (), reading.moment or "")

    def _claimed_anew(self, ask: CacheRequest, entry: CacheEntry) -> TagVersions:
        """Return how the tags stood for an entry that is fresh and is to be renewed."""
        known = entry.versions[: len(ask.tags)]
        return TagVersions(known, (), self._filler.claim(ask).moment) if ask.finds_tags else TagVersions(known)


class EarlyExpiry(NoProtection):
    """Now and then a reader refreshes an entry before its end.

    Args:
        filler: loads and stores.
        draw: returns random numbers, 0 to 1.
    """

    def __init__(self, filler: CacheLoader, draw: Callable[[], float] = random.random) -> None:
        super().__init__(filler)
        self._draw = draw

    def renew_at(self, ask: CacheRequest, entry: CacheEntry) -> float:
        """Draw it; one draw serves a reader, or a copy in its process's memory for as long as that lives."""
        return refresh_at(entry.fresh_until, entry.load_s, self._draw())

    def renew(self, ask: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Load and store; a load that fails leaves the fresh entry standing."""
        return None if self._filler.throttle.resting(ask.key) else self._refresh(ask, entry)

    def _refresh(self, ask: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        return unless_unchanged(self._filler.fill(ask, self._claimed_anew(ask, entry), "early", entry), entry)


def unless_unchanged(filled: LoadResult, entry: CacheEntry) -> LoadResult | None:
    """Return what a renewal brought; ``None`` where it failed and the entry stands."""
    return None if filled.entry is entry else filled


def why(verdict: EntryFreshness) -> Why:
    """Return what a load that follows from a verdict is counted as."""
    return "miss" if verdict.state == "missing" else "stale"
