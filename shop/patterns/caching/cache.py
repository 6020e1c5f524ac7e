"""Cache-aside: look, and on a miss load and fill.

Problem: the same few screens are asked for over and over, and each costs several queries.
Method: an entry is stored under its key together with the versions its tags had *before* it was loaded. It is served
only while every tag still has that version. Invalidating a tag gives it a version never seen before, so it reaches
every entry that carries the tag, without knowing their keys; and a load that began before an invalidation fills an
entry that nobody will ever be served, however late the fill arrives. Entry and tags are read in one round trip. In
front of that may stand a local level, which holds copies and is told what to drop (see ``local``). A load that reads
through the cache gets no copies: what it makes is stored under the versions of now, and a copy may be from before an
invalidation that this process has not heard of yet. Who loads when many miss at once is a strategy's business (see
``stampede``); what becomes of what it says, a filler's (see ``filling``).
Switch: ``cache.shared``. Experiment: ``cache-aside``.
Source: Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013 (leases against stale fills); Microsoft's Cloud
Design Patterns, "Cache-Aside".
"""

import time
from collections.abc import Callable, Sequence

from shop.clock import Clock
from shop.patterns.caching.envelope import CacheEntry
from shop.patterns.caching.events import Emit, LookupFinished, Outcome, TagsInvalidated, ignore
from shop.patterns.caching.failure_backoff import FailureBackoff
from shop.patterns.caching.levels import CacheLevel, ReadResult
from shop.patterns.caching.loader import (
    CacheLoader,
    CacheRequest,
    Load,
    LoadOptions,
    TaggedValue,
    found_tags,
    is_loading,
)
from shop.patterns.caching.local import LocalCache, LocalEntry, ReadMoment
from shop.patterns.caching.lock_strategy import LockedLoad
from shop.patterns.caching.lookup import CacheLookup, LookupResult
from shop.patterns.caching.policy import CachePolicy
from shop.patterns.caching.stampede import StampedeStrategy

Guarding = Callable[[CacheLoader], StampedeStrategy]


class Cache:
    """The one way to read through the cache.

    Args:
        level: where entries are kept.
        clock: tells when an entry has expired.
        emit: told of everything that happens.
        local: looked into first, and kept in step; none by default.
        rules: what is done with what loaders say.
        guarding: makes the strategy against stampedes; one load in all processes by default.
        throttle: the keys whose loads failed lately; one a process.
    """

    def __init__(
        self,
        level: CacheLevel,
        clock: Clock,
        emit: Emit = ignore,
        local: LocalCache | None = None,
        rules: LoadOptions | None = None,
        guarding: Guarding = LockedLoad,
        throttle: FailureBackoff | None = None,
    ) -> None:
        self._level = level
        self._clock = clock
        self._emit = emit
        self._local = local
        self._filler = CacheLoader(level, clock, emit, rules, throttle)
        guard = guarding(self._filler)
        self._lookup = CacheLookup(self._filler, guard)
        self._count: Callable[[str], None] | None = getattr(guard, "count", None)

    def get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        """Return the value under ``key``: the stored bytes while they are fresh, else what ``load`` returns.

        Never fails because of the cache: a level that is away costs at most its timeout, then ``load`` answers.

        Args:
            key: names the value; two values never share one. It must name the person where the policy is private.
            policy: how long it may be remembered.
            tags: what it was made from; invalidating any of them ends it.
            load: makes the value. What it raises passes through and nothing is stored, but for what the rules say of
                absence and of failures.
            finds_tags: whether ``load`` may name further tags (:class:`Tagged`), as what is returned then does.
        """
        if self._count is not None:
            self._count(key)
        kept = self._copy(key, policy) if policy.ttl_s else None
        if kept is None:
            return self._value(self._below(CacheRequest(key, policy, tags, load, finds_tags)).entry)
        if kept.negative:
            return self._raise(kept.value)
        return TaggedValue(kept.value, kept.tags[len(tags) :]) if len(kept.tags) > len(tags) else kept.value

    def kept(self, key: str, policy: CachePolicy, tags: Sequence[str]) -> LocalEntry | CacheEntry | None:
        """Return what a level holds and may be served as it is; never loads, and never waits for who does.

        ``None`` says nothing of why; :meth:`get_or_load` finds out, and counts. So it is where the entry by now has
        other tags than these.
        """
        kept = self._copy(key, policy)
        found = self._looked_up(CacheRequest(key, policy, tags, _not_asked)) if kept is None else kept
        if found is None or found.negative:
            return None
        if found_tags(found.value) if kept is None else kept.tags != tuple(tags):
            return None
        if self._count is not None:
            self._count(key)
        return found

    def get_many(self, asks: Sequence[CacheRequest]) -> list[bytes | None]:
        """Return several values, in the order asked; ``None`` for what there is not.

        What no local copy answers is looked for in one round trip. What is then missing is loaded, one after the
        other, as :meth:`get_or_load` does.
        """
        copies = [self._copy(ask.key, ask.policy) if ask.policy.ttl_s else None for ask in asks]
        moment = None if self._local is None else self._local.moment()
        wanted = [ask for ask, kept in zip(asks, copies, strict=True) if kept is None and self._lookup.keeps(ask)]
        readings = {ask.key: found for ask, found in zip(wanted, self._lookup.read_many(wanted), strict=False)}
        found: list[bytes | None] = []
        for ask, kept in zip(asks, copies, strict=True):
            if kept is not None:
                found.append(None if kept.negative else kept.value)
            else:
                entry = self._below(ask, moment, readings.get(ask.key)).entry
                found.append(None if entry.negative else entry.value)
        return found

    def invalidate(self, tags: Sequence[str]) -> None:
        """End every entry that carries one of the tags.

        Call it after the commit, never before: a reader between the two would store the old state under the new
        version.
        """
        self.end(tags)

    def end(self, tags: Sequence[str]) -> bool:
        """Do what :meth:`invalidate` does; tell whether that is done, or owed."""
        done = self._level.invalidate(tags)
        if self._local is not None:
            self._local.drop(tags)  # last: a copy made of the level's old entry meanwhile goes, too
        self._emit(TagsInvalidated(self._level.name, len(tags), delayed=not done))
        return done

    def _looked_up(self, ask: CacheRequest) -> CacheEntry | None:
        moment = None if self._local is None else self._local.moment()
        answer = self._lookup.kept(ask)
        if answer is None:
            return None
        if self._local is not None:
            stored = self._keep(self._local, ask, answer, moment)
            self._emit(LookupFinished(self._local.name, ask.policy.name, _passed(moment), 0, stored, 0.0))
        return answer.entry

    def _copy(self, key: str, policy: CachePolicy) -> LocalEntry | None:
        local = self._local
        if local is None or is_loading():
            return None
        started = time.perf_counter()
        kept = local.get(key)
        if kept is None or (kept.negative and self._filler.rules.absent is None):
            return None
        left_s = int(kept.until - self._clock.monotonic())
        spent = time.perf_counter() - started
        if kept.negative:
            self._emit(LookupFinished(local.name, "negative", "hit", left_s, False, spent, False, False, "negative"))
        else:
            self._emit(LookupFinished(local.name, policy.name, "hit", left_s, False, spent))
        return kept

    def _below(
        self, ask: CacheRequest, moment: ReadMoment | None = None, reading: ReadResult | None = None
    ) -> LookupResult:
        """Answer what the local level did not, and leave a copy there.

        A moment belongs to a reading that was made after it; it is taken here where there is none yet.
        """
        local = self._local
        if local is None or not self._filler.keeps(ask.policy):
            return self._lookup.answer(ask, None, reading)
        if reading is None:
            moment = local.moment()
        spent, stored = 0.0, False
        try:
            kept_somewhere = self._level.enabled or moment is not None
            answer = self._lookup.answer(ask, local.drops if kept_somewhere else None, reading)
            keeping = time.perf_counter()
            stored = self._keep(local, ask, answer, moment)
            spent = time.perf_counter() - keeping
        finally:
            self._emit(LookupFinished(local.name, ask.policy.name, _passed(moment), 0, stored, spent))
        return answer

    def _keep(self, local: LocalCache, ask: CacheRequest, answer: LookupResult, moment: ReadMoment | None) -> bool:
        if moment is None or not answer.copy_until:
            return False
        entry = answer.entry
        left_s = answer.copy_until - self._filler.now()
        tags = (*ask.tags, *found_tags(entry.value))
        return local.keep(ask.key, entry.value, tags, left_s, moment, negative=entry.negative, known=entry.digest)

    def _value(self, entry: CacheEntry) -> bytes:
        return self._raise(entry.value) if entry.negative else entry.value

    def _raise(self, says: bytes) -> bytes:
        """Say again that there is no such thing."""
        raise self._filler.rules.revived(says.decode())


def _passed(moment: ReadMoment | None) -> Outcome:
    """Return what the local level did of a look-up that went on below it."""
    return "bypass" if moment is None or is_loading() else "miss"


def _not_asked() -> bytes:
    raise AssertionError("what is only looked up is never loaded")
