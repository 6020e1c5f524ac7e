"""Cache-aside: look, and on a miss load and fill.

Problem: the same few screens are asked for over and over, and each costs several queries.
Method: an entry is stored under its key together with the versions its tags had *before* it was loaded. It is served
only while every tag still has that version. Invalidating a tag gives it a version never seen before, so it reaches
every entry that carries the tag, without knowing their keys; and a load that began before an invalidation fills an
entry that nobody will ever be served, however late the fill arrives. Entry and tags are read in one round trip. In
front of that may stand a local level, which holds copies and is told what to drop (see ``local``).
Switch: ``cache.shared``. Experiment: ``cache-aside``.
Source: Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013 (leases against stale fills); Microsoft's Cloud
Design Patterns, "Cache-Aside".
"""

import time
from collections.abc import Callable, Sequence

from shop.clock import Clock
from shop.patterns.caching.envelope import Entry, decode, encode
from shop.patterns.caching.events import Answered, Emit, Invalidated, Outcome, ignore
from shop.patterns.caching.levels import Away, Level, Reading
from shop.patterns.caching.local import Kept, Local
from shop.patterns.caching.policy import Policy

Load = Callable[[], bytes]

KEPT_NOWHERE = 0.0
"""Expiry of what was loaded while the level was away: broadcasts may not arrive either, so nobody keeps a copy."""


class Cache:
    """The one way to read through the cache.

    Args:
        level: where entries are kept.
        clock: tells when an entry has expired.
        emit: told of everything that happens.
        local: looked into first, and kept in step; none by default.
    """

    def __init__(self, level: Level, clock: Clock, emit: Emit = ignore, local: Local | None = None) -> None:
        self._level = level
        self._clock = clock
        self._emit = emit
        self._local = local

    def get_or_load(self, key: str, policy: Policy, tags: Sequence[str], load: Load) -> bytes:
        """Return the value under ``key``: the stored bytes while they are fresh, else what ``load`` returns.

        Never fails because of the cache: a level that is away costs at most its timeout, then ``load`` answers.

        Args:
            key: names the value; two values never share one. It must name the person where the policy is private.
            policy: how long it may be remembered.
            tags: what it was made from; invalidating any of them ends it.
            load: makes the value; what it raises passes through, and nothing is stored.
        """
        local = self._local
        if local is None or not policy.ttl_s:
            return self._from_level(key, policy, tags, load).value
        kept = self.copy_of(key, policy)
        return kept.value if kept is not None else self._through(local, key, policy, tags, load)

    def copy_of(self, key: str, policy: Policy) -> Kept | None:
        """Return the local level's copy of a value, if there is one; nobody is asked for it."""
        if self._local is None:
            return None
        started = time.perf_counter()
        kept = self._local.get(key)
        if kept is not None:
            ttl_s = int(kept.until - self._clock.monotonic())
            self._emit(Answered(self._local.name, policy.name, "hit", ttl_s, False, time.perf_counter() - started))
        return kept

    def invalidate(self, tags: Sequence[str]) -> None:
        """End every entry that carries one of the tags.

        Call it after the commit, never before: a reader between the two would store the old state under the new
        version.
        """
        done = self._level.invalidate(tags)
        if self._local is not None:
            self._local.drop(tags)  # last: a copy made of the level's old entry meanwhile goes, too
        self._emit(Invalidated(self._level.name, len(tags), delayed=not done))

    def _through(self, local: Local, key: str, policy: Policy, tags: Sequence[str], load: Load) -> bytes:
        """Answer what the local level did not, and leave a copy there."""
        moment = local.moment()
        spent, stored = 0.0, False
        try:
            entry = self._from_level(key, policy, tags, load)
            keeping = time.perf_counter()
            if moment is not None:
                stored = local.keep(key, entry.value, tags, entry.expires - self._now(), moment)
            spent = time.perf_counter() - keeping
        finally:
            outcome: Outcome = "bypass" if moment is None else "miss"
            self._emit(Answered(local.name, policy.name, outcome, 0, stored, spent))
        return entry.value

    def _from_level(self, key: str, policy: Policy, tags: Sequence[str], load: Load) -> Entry:
        if not (self._level.enabled and policy.ttl_s):
            return self._bypass(policy, load, 0.0, away=False)
        started = time.perf_counter()
        try:
            reading = self._level.read(key, tags)
            now = self._now()
            entry, outcome = judge(reading, now)
            if entry is not None:
                self._answered(policy, outcome, time.perf_counter() - started, ttl_s=int(entry.expires - now))
                return entry
            claimed = self._level.claim(tags)
        except Away:
            return self._bypass(policy, load, time.perf_counter() - started, away=True)
        return self._load_and_fill(key, policy, claimed, load, outcome, time.perf_counter() - started)

    def _load_and_fill(
        self, key: str, policy: Policy, versions: tuple[str, ...], load: Load, outcome: Outcome, spent: float
    ) -> Entry:
        stored = False
        try:
            value = load()
            filling = time.perf_counter()
            entry = Entry(value, self._now() + policy.ttl_s, versions)
            try:
                self._level.write(key, encode(entry), policy.ttl_s)
                stored = True
            except Away:  # the level has said so itself; the value is as good without it
                entry = Entry(value, KEPT_NOWHERE, ())
            spent += time.perf_counter() - filling
        finally:
            self._answered(policy, outcome, spent, stored=stored)
        return entry

    def _bypass(self, policy: Policy, load: Load, spent: float, *, away: bool) -> Entry:
        self._answered(policy, "bypass", spent, away=away)
        value = load()
        return Entry(value, KEPT_NOWHERE if away else self._now() + policy.ttl_s, ())

    def _answered(
        self,
        policy: Policy,
        outcome: Outcome,
        seconds: float,
        *,
        ttl_s: int = 0,
        stored: bool = False,
        away: bool = False,
    ) -> None:
        self._emit(Answered(self._level.name, policy.name, outcome, ttl_s, stored, seconds, away))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def judge(reading: Reading, now: float) -> tuple[Entry | None, Outcome]:
    """Decide whether what a level holds may be served.

    Args:
        reading: the stored entry and how its tags stand, read together.
        now: unix time in seconds.

    Returns:
        The entry if it may be served, and why or why not.
    """
    if reading.stored is None:
        return None, "miss"
    entry = decode(reading.stored)
    if entry is None:
        return None, "miss"
    if entry.expires <= now or entry.versions != reading.versions:
        return None, "stale"
    return entry, "hit"
