"""Strategies against cache stampedes: which reader loads when many want the same value at once.

Problem: a hot entry expires, and each reader that comes within the time of one load runs that load. The database,
sized for one in fifty requests, gets all of them.
Method: a strategy is called when there is no fresh entry (``fill``), and when a fresh entry is near its expiry
(``refresh_early``). With ``NoProtection`` every reader loads. ``EarlyExpiry`` draws which reader refreshes before the
expiry (see ``entry.xfetch``), and cannot help when there is no entry. ``LockedLoad`` lets one reader load;
``LockWithEarlyExpiry``, the default, mostly before the expiry (see ``lock_strategy``). ``RefreshAhead`` refreshes
popular keys in a background thread (see ``refresh``).
Switch: ``cache.stampede``. Experiment: ``cache-stampede``.
Source: Nishtala et al., NSDI 2013, 3.2.1 (leases); Vattani et al., VLDB 2015 (XFetch).
"""

import random
from collections.abc import Callable
from typing import Protocol

from shop.patterns.caching.entry import CacheEntry, EntryFreshness, xfetch
from shop.patterns.caching.levels import ReadResult
from shop.patterns.caching.loader import CacheLoader, CacheRequest, LoadResult


class StampedeStrategy(Protocol):
    """A strategy against stampedes."""

    def refresh_at(self, request: CacheRequest, entry: CacheEntry) -> float:
        """Return the unix time from which this reader should refresh a fresh entry; its expiry if not before."""

    def refresh_early(self, request: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Refresh a fresh entry, or start its refresh; ``None`` to serve it as it is. Never waits."""

    def fill(self, request: CacheRequest, reading: ReadResult, freshness: EntryFreshness) -> LoadResult:
        """Return the entry for a request for which there is no fresh one."""

    def load_uncached(self, request: CacheRequest, invalidation_count: object) -> LoadResult:
        """Load while there is no level that could store the value.

        Args:
            request: the look-up.
            invalidation_count: changes with each invalidation this process knows of.
        """


class NoProtection:
    """Every reader loads.

    Args:
        loader: loads and stores.
    """

    def __init__(self, loader: CacheLoader) -> None:
        self._loader = loader

    def refresh_at(self, request: CacheRequest, entry: CacheEntry) -> float:
        """Return its expiry."""
        return entry.fresh_until

    def refresh_early(self, request: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Serve it as it is."""
        return None

    def fill(self, request: CacheRequest, reading: ReadResult, freshness: EntryFreshness) -> LoadResult:
        """Load and store."""
        versions = self._loader.tag_versions(request, reading)
        return self._loader.load_and_store(request, versions, freshness.load_reason, freshness.entry)

    def load_uncached(self, request: CacheRequest, invalidation_count: object) -> LoadResult:
        """Load."""
        return self._loader.load(request, (), "bypass")


class EarlyExpiry(NoProtection):
    """Now and then a reader refreshes an entry before its expiry.

    Args:
        loader: loads and stores.
        draw: returns random numbers, 0 to 1.
    """

    def __init__(self, loader: CacheLoader, draw: Callable[[], float] = random.random) -> None:
        super().__init__(loader)
        self._draw = draw

    def refresh_at(self, request: CacheRequest, entry: CacheEntry) -> float:
        """Draw it; one draw serves a reader, or a copy in its process's memory for as long as that lives."""
        return xfetch(entry.fresh_until, entry.load_s, self._draw())

    def refresh_early(self, request: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Load and store; if the load fails, the fresh entry is served."""
        if self._loader.backoff.is_backing_off(request.key):
            return None
        versions = self._loader.tag_versions_of(request, entry)
        result = self._loader.load_and_store(request, versions, "early", entry)
        return None if result.detail else result  # stale: the fresh entry is better
