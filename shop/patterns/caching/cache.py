"""Cache-aside: look up a key, and on a miss load the value and store it.

Problem: visitors request the same few screens again and again, and each request costs several queries.
Method: an entry is stored under its key together with the versions that its tags had *before* it was loaded. It is
served only while every tag still has that version. An invalidation gives a tag a version that was never used before.
This makes every entry with the tag invalid, and the writer need not know the keys of these entries. A load may begin
before an invalidation and end after it. Its entry carries the earlier version, so it is never served. The entry and the
versions of its tags are read in one round trip.
A local level may stand in front of the shared level; it holds copies and receives invalidations (see ``local``). A
loader may itself read other values through the cache. It gets them from the shared level, not from local copies: a copy
may be older than an invalidation that this process has not received yet, and the loaded value would carry the tag
versions from after that invalidation. The loaded value expires with the first of the values that its loader read (see
``nested_reads``).
A strategy decides which reader loads when many readers miss at once (see ``lock_strategy``, the default, and
``stampede``). A loader handles the outcome of the load (see ``loader``).
The path of a look-up: :meth:`Cache.get_or_load`, the local level; :meth:`CacheLookup.get`, the shared level;
``LockedLoad.fill``, the strategy; ``CacheLoader.load_and_store``.
Switch: ``cache.shared``. Experiment: ``cache-aside``.
Source: Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013 (leases against stale fills); Microsoft's Cloud
Design Patterns, "Cache-Aside".
"""

import time
from collections.abc import Callable, Sequence

from shop.clock import Clock
from shop.patterns.caching import nested_reads
from shop.patterns.caching.entry import (
    MISSING,
    CacheEntry,
    CachePolicy,
    DoNotCache,
    FreshnessState,
    TaggedValue,
    found_tags,
)
from shop.patterns.caching.events import Emit, LookupFinished, Outcome, PeekMissed, TagsInvalidated, ignore
from shop.patterns.caching.levels import CacheLevel, ReadResult
from shop.patterns.caching.load_options import FailureBackoff, LoadOptions
from shop.patterns.caching.loader import VALUE_LIMIT_BYTES, CacheLoader, CacheRequest, Load, LoadResult
from shop.patterns.caching.local import LocalCache, LocalEntry, ReadGeneration
from shop.patterns.caching.lock_strategy import LockedLoad
from shop.patterns.caching.stampede import StampedeStrategy
from shop.patterns.caching.valkey_client import CacheUnavailable

MakeStrategy = Callable[[CacheLoader], StampedeStrategy]

Served = tuple[CacheEntry, float]
"""An entry, and the unix time in seconds until which a local copy of it may be kept."""
NO_COPY = 0.0
FORWARDED: dict[FreshnessState, Outcome] = {
    "missing": "miss",
    "expired": "stale",
    "invalidated": "stale",
    "fresh": "stale",
}
"""The state of the stored entry, and the outcome of a look-up that calls the loader. It calls the loader for a fresh
entry if a refresh of the entry is due."""


class Cache:
    """Reads through the local and the shared level.

    Args:
        level: stores the entries.
        clock: measures lifetimes.
        emit: receives the events.
        local: read first, and kept up to date; none by default.
        options: how the outcomes of loads are handled.
        strategy: makes the strategy against stampedes; by default one load in all processes.
        backoff: the keys whose loads failed lately; one a process.
    """

    def __init__(
        self,
        level: CacheLevel,
        clock: Clock,
        emit: Emit = ignore,
        local: LocalCache | None = None,
        options: LoadOptions | None = None,
        strategy: MakeStrategy = LockedLoad,
        backoff: FailureBackoff | None = None,
    ) -> None:
        self._level = level
        self._clock = clock
        self._emit = emit
        self._local = local
        self._loader = CacheLoader(level, clock, emit, options, backoff)
        stampede_strategy = strategy(self._loader)
        self._lookup = CacheLookup(self._loader, stampede_strategy)
        self._count_hit: Callable[[str], None] | None = getattr(stampede_strategy, "count", None)

    def get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        """Return the value under ``key``: the stored bytes while they are fresh, else the value of ``load``.

        The cache adds no errors of its own: if a level is down, the look-up takes at most the level's timeout longer,
        and then returns the value of ``load``.

        Args:
            key: names the value; two values never share a key. If the policy is private, it must name the person.
            policy: how long the value may be cached.
            tags: what the value is made from; the invalidation of any of them makes the entry invalid.
            load: makes the value. Its exceptions reach the caller and nothing is stored, unless the options cache
                not-found or return the last good value.
            finds_tags: whether ``load`` may add further tags (:class:`TaggedValue`); the returned value then has them.
        """
        if self._count_hit is not None:
            self._count_hit(key)
        local = self._get_local(key, policy) if policy.ttl_s else None
        if local is None:
            entry = self._get_shared(CacheRequest(key, policy, tags, load, finds_tags))
            if entry.negative:
                raise self._loader.options.decode_not_found(entry.value.decode())
            return entry.value
        if local.negative:
            raise self._loader.options.decode_not_found(local.value.decode())
        return TaggedValue(local.value, local.tags[len(tags) :]) if len(local.tags) > len(tags) else local.value

    def peek(self, key: str, policy: CachePolicy, tags: Sequence[str]) -> LocalEntry | CacheEntry | None:
        """Return a fresh entry of one of the levels; never load, and never wait for a load.

        ``None`` does not say why; :meth:`get_or_load` finds out, and counts. ``None``, too, if the entry now has other
        tags than these.
        """
        entry: LocalEntry | CacheEntry
        if (local := self._get_local(key, policy)) is not None:
            if local.negative or local.tags != tuple(tags):
                return None
            entry = local
        else:
            request = CacheRequest(key, policy, tags)
            generation = None if self._local is None else self._local.generation()
            served = self._lookup.peek(request)
            if served is None:
                return None
            if self._local is not None:
                stored = self._put_local(self._local, request, served, generation)
                self._emit_local(self._local, request, generation, stored=stored, spent=0.0)
            entry = served[0]
            if entry.negative or found_tags(entry.value):
                return None
        if self._count_hit is not None:
            self._count_hit(key)
        return entry

    def get_many(self, requests: Sequence[CacheRequest]) -> list[bytes | None]:
        """Return several values, in the order of the requests; ``None`` for a thing that does not exist.

        The keys without a local copy are read in one round trip. Values that are missing there are loaded, one after
        the other, as :meth:`get_or_load` does.
        """
        copies = [self._get_local(each.key, each.policy) if each.policy.ttl_s else None for each in requests]
        generation = None if self._local is None else self._local.generation()
        uncopied = [
            request
            for request, local in zip(requests, copies, strict=True)
            if local is None and self._lookup.is_cacheable(request.policy)
        ]
        results = zip(uncopied, self._lookup.read_many(uncopied), strict=False)
        readings = {request.key: reading for request, reading in results}
        values: list[bytes | None] = []
        for request, local in zip(requests, copies, strict=True):
            entry = local or self._get_shared(request, generation, readings.get(request.key))
            values.append(None if entry.negative else entry.value)
        return values

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Make every entry invalid that carries one of the tags.

        Call it after the commit, never before. If it is called before, a reader may load the old state between
        invalidation and commit, and store it under the new version.

        Returns:
            Whether it is done; ``False`` while it is pending, because the shared level is down.
        """
        done = self._level.invalidate(tags)
        if self._local is not None:
            self._local.invalidate(tags)  # last: a copy made of the level's old entry meanwhile is dropped, too
        self._emit(TagsInvalidated(self._level.name, len(tags), delayed=not done))
        return done

    def _get_local(self, key: str, policy: CachePolicy) -> LocalEntry | None:
        local = self._local
        if local is None or nested_reads.is_loading():
            return None
        started = time.perf_counter()
        entry = local.get(key)
        if entry is None or (entry.negative and self._loader.options.not_found is None):
            return None
        left_s = int(entry.expires_at - self._clock.monotonic())
        spent = time.perf_counter() - started
        if entry.negative:
            self._emit(LookupFinished(local.name, "negative", "hit", left_s, False, spent, False, False, "negative"))
        else:
            self._emit(LookupFinished(local.name, policy.name, "hit", left_s, False, spent))
        return entry

    def _get_shared(
        self, request: CacheRequest, generation: ReadGeneration | None = None, reading: ReadResult | None = None
    ) -> CacheEntry:
        """Look up in the shared level, and put a copy into the local level.

        Args:
            request: the look-up.
            generation: taken by the caller before ``reading``; ignored without a reading.
            reading: the stored entry, if the caller has read it already.
        """
        local = self._local
        if local is None or not self._loader.is_cacheable(request.policy):
            return self._lookup.get(request, None, reading)[0]
        if reading is None:
            generation = local.generation()
        spent, stored = 0.0, False
        try:
            # Shared loads protect the database while the shared level is down. No broadcasts arrive then, so a shared
            # value may miss an invalidation of another process. But it is not stored, so it is at most one load old.
            # With the shared level switched off, threads share a load only while broadcasts arrive.
            may_share = self._level.enabled or generation is not None
            served = self._lookup.get(request, local.invalidation_count if may_share else None, reading)
            storing = time.perf_counter()
            stored = self._put_local(local, request, served, generation)
            spent = time.perf_counter() - storing
        finally:
            self._emit_local(local, request, generation, stored=stored, spent=spent)
        return served[0]

    def _put_local(
        self, local: LocalCache, request: CacheRequest, served: Served, generation: ReadGeneration | None
    ) -> bool:
        entry, copy_until = served
        if generation is None or not copy_until:
            return False
        left_s = copy_until - self._loader.now()
        tags = (*request.tags, *found_tags(entry.value))
        return local.put(
            request.key, entry.value, tags, left_s, generation, negative=entry.negative, value_digest=entry.digest
        )

    def _emit_local(
        self,
        local: LocalCache,
        request: CacheRequest,
        generation: ReadGeneration | None,
        *,
        stored: bool,
        spent: float,
    ) -> None:
        """Emit the local level's part of a look-up that went on below it."""
        outcome: Outcome = "bypass" if generation is None or nested_reads.is_loading() else "miss"
        self._emit(LookupFinished(local.name, request.policy.name, outcome, 0, stored, spent))


class CacheLookup:
    """Reads the shared level, and calls the strategy if there is no fresh entry.

    Args:
        loader: has the level, the options and the receiver of events.
        strategy: decides which reader loads.
    """

    def __init__(self, loader: CacheLoader, strategy: StampedeStrategy) -> None:
        self._loader = loader
        self._level = loader.level
        self._strategy = strategy
        self._due: dict[str, float] = {}
        """The keys of entries that :meth:`peek` has found due for a refresh, each with the expiry of its entry.

        The next reader that may load refreshes such an entry and does not draw again. The expiry identifies the entry:
        if another process has stored a newer entry under the key, that entry is not due."""

    def is_cacheable(self, policy: CachePolicy) -> bool:
        """Return whether the level may hold an entry of this policy."""
        return self._level.enabled and self._loader.is_cacheable(policy)

    def read_many(self, requests: Sequence[CacheRequest]) -> list[ReadResult]:
        """Return the stored entries of several keys in one round trip; an empty list if the level is down."""
        try:
            return self._level.read_many([(each.key, each.tags) for each in requests]) if requests else []
        except CacheUnavailable:
            return []

    def get(self, request: CacheRequest, invalidation_count: int | None, reading: ReadResult | None = None) -> Served:
        """Return a stored or loaded entry that may be served.

        Args:
            request: the look-up.
            invalidation_count: changes with each invalidation this process knows of; ``None`` to share no load.
            reading: the stored entry, if it was read already.

        Raises:
            Exception: the loader's.
        """
        if not self.is_cacheable(request.policy):
            return self._load_without_level(request, invalidation_count, 0.0, level_down=False)
        started = time.perf_counter()
        outcome: Outcome = "stale"
        try:
            if reading is None:
                reading = self._loader.read(request)
            freshness = self._loader.check_freshness(request, reading)
            outcome = FORWARDED[freshness.state]
            last = freshness.entry
            if freshness.state == "fresh" and last is not None:
                return self._serve_fresh(request, last, started)
            options, backoff = self._loader.options, self._loader.backoff
            if last is not None and options.stale_if_error and backoff.is_backing_off(request.key):
                result = LoadResult(last, "stale-if-error", attempted=False)
            else:
                result = self._strategy.fill(request, reading, freshness)
        except CacheUnavailable:
            spent = time.perf_counter() - started
            return self._load_without_level(request, invalidation_count, spent, level_down=True)
        except BaseException:
            self._emit(request, outcome, 0.0)
            raise
        return self._serve_filled(request, outcome, result, started)

    def peek(self, request: CacheRequest) -> Served | None:
        """Return a fresh entry of the level that is not due for a refresh; for anything else only the time is emitted.

        It never loads, and never waits.
        """
        if not self.is_cacheable(request.policy):
            return None
        started = time.perf_counter()
        try:
            freshness = self._loader.check_freshness(request, self._level.read(request.key, request.tags))
        except CacheUnavailable:
            freshness = MISSING
        entry = freshness.entry
        if freshness.state == "fresh" and entry is not None and not entry.negative:
            refresh_at = self._strategy.refresh_at(request, entry)
            if refresh_at > self._loader.now():
                return self._serve_hit(request, entry, refresh_at, started)
            self._due[request.key] = entry.fresh_until
        self._loader.emit(PeekMissed(self._level.name, time.perf_counter() - started))
        return None

    def _serve_fresh(self, request: CacheRequest, entry: CacheEntry, started: float) -> Served:
        is_due = self._due.pop(request.key, None) == entry.fresh_until or self._loader.is_renewable(request, entry)
        refresh_at = 0.0 if is_due else self._strategy.refresh_at(request, entry)
        if refresh_at <= self._loader.now():
            refreshed = self._strategy.refresh_early(request, entry)
            if refreshed is not None:
                return self._serve_filled(request, "stale", refreshed._replace(detail="early"), started)
            refresh_at = entry.fresh_until  # another thread or process refreshes it
        return self._serve_hit(request, entry, refresh_at, started)

    def _serve_hit(self, request: CacheRequest, entry: CacheEntry, refresh_at: float, started: float) -> Served:
        ttl_s = int(entry.fresh_until - self._loader.now())
        nested_reads.record(entry)
        self._emit(request, "hit", time.perf_counter() - started, LoadResult(entry), ttl_s)
        return entry, refresh_at

    def _serve_filled(self, request: CacheRequest, outcome: Outcome, result: LoadResult, started: float) -> Served:
        """Emit the outcome of the strategy, and decide how long a local copy may be kept."""
        entry, now = result.entry, self._loader.now()
        nested_reads.record(entry, result.detail)
        spent = time.perf_counter() - started - result.loading_s
        is_stale = result.detail.startswith("stale")
        ttl_s = int(entry.fresh_until - now) if is_stale else 0
        self._emit(request, outcome if result.attempted else "hit", spent, result, ttl_s)
        if is_stale or result.level_down or isinstance(entry.value, DoNotCache) or len(entry.value) > VALUE_LIMIT_BYTES:
            return entry, NO_COPY
        refresh_at = self._strategy.refresh_at(request, entry)
        return entry, refresh_at if refresh_at > now else entry.fresh_until

    def _load_without_level(
        self, request: CacheRequest, invalidation_count: int | None, spent: float, *, level_down: bool
    ) -> Served:
        """Load; the process's threads share the load if invalidations in between can be recognised."""
        name = request.policy.name
        self._loader.emit(LookupFinished(self._level.name, name, "bypass", 0, False, spent, level_down))
        is_cacheable = self._loader.is_cacheable(request.policy)
        if invalidation_count is not None and is_cacheable:
            result = self._strategy.load_uncached(request, invalidation_count)
        else:
            result = self._loader.load(request, (), "bypass")
        entry = result.entry
        nested_reads.record(entry, result.detail)
        may_copy = is_cacheable and not level_down and not isinstance(entry.value, DoNotCache)
        return entry, entry.fresh_until if may_copy else NO_COPY

    def _emit(
        self, request: CacheRequest, outcome: Outcome, spent: float, result: LoadResult | None = None, ttl_s: int = 0
    ) -> None:
        level, policy = self._level.name, request.policy.name
        if result is None:
            self._loader.emit(LookupFinished(level, policy, outcome, ttl_s, False, spent))
            return
        negative, detail = result.entry.negative, result.detail
        if negative:
            policy, detail = "negative", "negative"
        self._loader.emit(
            LookupFinished(
                level, policy, outcome, ttl_s, result.stored, spent, result.level_down, result.collapsed, detail
            )
        )
