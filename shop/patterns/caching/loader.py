"""Loading a value, measuring it, and putting it where the next reader finds it.

Whatever a strategy against stampedes decides, this is what is done in the end, so the rules stand here once:

- An entry carries the tag versions that stood before its load; the level judges a late fill by them.
- A loader may find out on its way what else the value shows, and name it (:class:`Tagged`).
- A loader that says "there is no such thing" leaves a negative entry, where that is wanted.
- A loader that fails leaves nothing; who has a last good value gets that, where that is wanted, and the key is left
  alone for a moment, so that a failing database is not asked again by every reader.
- A value that is too large, or not worth keeping, is answered and not stored.

Switches: ``cache.negative``, ``cache.jitter``, ``cache.stale_if_error``.
Source: RFC 5861 (stale-if-error); RFC 2308 (negative answers have a short life of their own).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, NamedTuple

from shop.clock import Clock
from shop.patterns.caching.cacheable_response import digest
from shop.patterns.caching.envelope import CacheEntry, encode
from shop.patterns.caching.events import CameLate, Detail, Emit, EntryStored, LoadFinished, TooLarge, Why, ignore
from shop.patterns.caching.failure_backoff import FailureBackoff
from shop.patterns.caching.freshness import INVALIDATED, MISSING, EntryFreshness, bounded, judge
from shop.patterns.caching.jitter import SHARE, Lifetime, exact
from shop.patterns.caching.levels import ANY, CacheLevel, CacheUnavailable, ReadResult, TagVersions
from shop.patterns.caching.lock import Ended, LoadLease
from shop.patterns.caching.policy import NEGATIVE, CachePolicy

Load = Callable[[], bytes]

VALUE_LIMIT_BYTES = 1024 * 1024
"""Largest value that is stored. Fifty times the largest page: what is larger is a mistake, and would hold up everybody
who shares the connection's server while it is moved."""


MARK = "\x00"
"""Around the number of the kind of an absence, in its entry; the first kind's text stands alone."""
_LOADING: ContextVar[bool] = ContextVar("loading", default=False)
AHEAD_OF_TIME = frozenset({"early", "ahead"})
"""Loads that were not needed yet: when one fails, the entry it was to replace was fresh and still stands."""


class DoNotCache(bytes):
    """A loaded value that is not worth keeping: nobody will ask for it twice."""


class TaggedValue(bytes):
    """A value with the tags that were found while it was loaded: what it shows beside what was asked for."""

    tags: tuple[str, ...]

    def __new__(cls, value: bytes, tags: Sequence[str]) -> "TaggedValue":
        """Name the tags."""
        made = super().__new__(cls, value)
        made.tags = tuple(tags)
        return made


def found_tags(value: bytes) -> tuple[str, ...]:
    """Return the tags that a value brought along."""
    return value.tags if isinstance(value, TaggedValue) else ()


@dataclass(frozen=True, slots=True)
class CacheRequest:
    """One look-up: what ``get_or_load`` was called with."""

    key: str
    policy: CachePolicy
    tags: Sequence[str]
    load: Load
    finds_tags: bool = False
    """Whether the value may be :class:`Tagged`."""


class LoadResult(NamedTuple):
    """An answer and how it came about."""

    entry: CacheEntry
    detail: Detail = ""
    stored: bool = False
    collapsed: bool = False
    """Somebody else made it."""
    loading_s: float = 0.0
    """Seconds of this look-up that were spent in its own loader."""
    tried: bool = True
    """Whether anybody went to look before a stale value was served."""
    away: bool = False
    """The level did not answer: broadcasts may not arrive either, so nobody may keep a copy."""


class LoadFailed(RuntimeError):
    """The load that this one waited for has failed elsewhere."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What is done with what a loader says.

    Args:
        lifetime: from a policy's seconds to an entry's.
        absent: the exceptions by which a loader says that there is no such thing, or no longer, or elsewhere; each
            takes one text. Only these very classes count. ``None``: absence is not remembered.
        refusal: tells whether an exception is an answer, to be passed on, rather than a failure.
        forgiving: whether the last good value stands in when loading fails.
        own: tells whether a failure is the asker's alone, and says nothing to whoever else waits for the load.
        failure: makes what is raised where the load that was waited for failed in another process.
        longest: the most of a policy's seconds that an entry may live.
    """

    lifetime: Lifetime = exact
    absent: type[Exception] | tuple[type[Exception], ...] | None = None
    refusal: Callable[[Exception], bool] = lambda error: False
    forgiving: bool = False
    own: Callable[[Exception], bool] = lambda error: False
    failure: Callable[[], Exception] = LoadFailed
    longest: float = 1 + SHARE

    def remembered(self, error: Exception) -> str | None:
        """Return what is stored of an absence; ``None`` for an error that is none."""
        kinds = self._kinds
        if type(error) not in kinds:
            return None
        number = kinds.index(type(error))
        return f"{MARK}{number}{MARK}{error}" if number else str(error)

    def revived(self, text: str) -> Exception:
        """Return the exception that :meth:`remembered` has stored."""
        if not text.startswith(MARK):
            return self._kinds[0](text)
        _, number, said = text.split(MARK, 2)
        return self._kinds[int(number)](said)

    @property
    def _kinds(self) -> tuple[type[Exception], ...]:
        if self.absent is None:
            return ()
        return self.absent if isinstance(self.absent, tuple) else (self.absent,)


class CacheLoader:
    """Runs loaders and stores what they return.

    Args:
        level: where entries are put.
        clock: tells how long entries are good, and how long loads take.
        emit: told of every load.
        rules: what is done with what a loader says.
        throttle: the keys that are left alone; one a process.
    """

    def __init__(
        self,
        level: CacheLevel,
        clock: Clock,
        emit: Emit = ignore,
        rules: LoadOptions | None = None,
        throttle: FailureBackoff | None = None,
    ) -> None:
        self.level = level
        self.clock = clock
        self.emit = emit
        self.rules = rules or LoadOptions()
        self.throttle = throttle or FailureBackoff(clock)

    def now(self) -> float:
        """Return unix time in seconds."""
        return self.clock.now().timestamp()

    def keeps(self, policy: CachePolicy) -> bool:
        """Tell whether anything of this class is to be stored."""
        return policy.ttl_s > 0 and not (policy.negative and self.rules.absent is None)

    def judged(self, ask: CacheRequest, reading: ReadResult) -> EntryFreshness:
        """Decide what may be done with what the level holds; what says "no such thing" counts only where that does."""
        now = self.now()
        verdict = judge(reading, now)
        if verdict.further and verdict.entry is not None:
            verdict = self._settled(verdict, verdict.entry)
        entry = verdict.entry
        if entry is None:
            return verdict
        if entry.negative and self.rules.absent is None:
            return MISSING  # left from when it was remembered
        ttl_s = (NEGATIVE if entry.negative else ask.policy).ttl_s
        return bounded(verdict, entry, now, ttl_s * self.rules.longest)

    def failed_elsewhere(self, ask: CacheRequest, last: CacheEntry | None) -> LoadResult:
        """Answer where the load that was waited for has failed in another process.

        Raises:
            Exception: as the rules say, where no last good value may stand in.
        """
        if last is None or not self.rules.forgiving:
            raise self.rules.failure()
        self.throttle.rest(ask.key)
        return LoadResult(last, "stale-if-error")

    def meanwhile(self, ask: CacheRequest, entry: CacheEntry | None) -> CacheEntry | None:
        """Return what expired, if it may still be served while somebody else loads its successor."""
        if entry is None or self.now() >= entry.fresh_until + ask.policy.stale_while_revalidate_s:
            return None
        return entry

    def read(self, ask: CacheRequest) -> ReadResult:
        """Return what the level holds, and how :data:`ANY` stands where the load may find tags; one round trip.

        Raises:
            CacheUnavailable: the level does not answer.
        """
        if not ask.finds_tags:
            return self.level.read(ask.key, ask.tags)
        stored, versions, _ = self.level.read(ask.key, (*ask.tags, ANY))
        return ReadResult(stored, versions[:-1], versions[-1])

    def claim(self, ask: CacheRequest) -> TagVersions:
        """Return how the tags stand, and whether anything at all is invalidated from now on, where that must be known.

        Raises:
            CacheUnavailable: the level does not answer.
        """
        if not ask.finds_tags:
            return self.level.claim(ask.tags)
        claim = self.level.claim((*ask.tags, ANY))
        made = tuple(tag for tag in claim.made if tag != ANY)
        return TagVersions(claim.versions[:-1], made, claim.versions[-1])

    def fill(
        self,
        ask: CacheRequest,
        claim: TagVersions,
        why: Why,
        last: CacheEntry | None = None,
        lease: LoadLease | None = None,
    ) -> LoadResult:
        """Load, store, and release the lock, if one is held, whatever happens.

        Args:
            ask: what is wanted.
            claim: how the tags stood before this call.
            why: for the figures.
            last: what may be served if the load fails.
            lease: the lock the caller holds.
        """
        held = lease
        ended: Ended = "failed"
        try:
            filled = self.load(ask, claim.versions, why, last)
            ended = "failed" if filled.detail == "stale-if-error" else "unstored"
            if filled.detail != "stale-if-error" and not isinstance(filled.entry.value, DoNotCache):
                with suppress(CacheUnavailable):  # the level has said so itself; the value is as good without it
                    filled = filled._replace(away=True)
                    stored = self._store(ask, filled.entry, claim, held)
                    filled, held = filled._replace(stored=stored, away=False), None if stored else held
            return filled
        except Exception as error:
            ended = "unstored" if self.rules.refusal(error) or self.rules.own(error) else "failed"
            raise
        finally:
            if held is not None:
                self.level.release(held, ended)

    def load(
        self, ask: CacheRequest, versions: tuple[str, ...], why: Why, last: CacheEntry | None = None
    ) -> LoadResult:
        """Run the loader and make an entry of what it says, without storing it anywhere.

        Raises:
            Exception: what the loader raised, where no entry can stand for it.
        """
        started = self.clock.monotonic()
        try:
            value = _run(ask.load)
        except Exception as error:
            loading_s = self.clock.monotonic() - started
            absence = self.rules.remembered(error)
            refused = absence is not None or self.rules.refusal(error)
            self.emit(
                LoadFinished(ask.policy.name, why, _named(absent=absence is not None, refused=refused), loading_s)
            )
            if absence is not None:
                return LoadResult(self._entry(NEGATIVE, absence.encode(), versions, loading_s, negative=True))
            if refused or last is None or not (self.rules.forgiving or why in AHEAD_OF_TIME):
                raise
            self.throttle.rest(ask.key)
            return LoadResult(last, "stale-if-error", loading_s=loading_s)
        loading_s = self.clock.monotonic() - started
        self.emit(LoadFinished(ask.policy.name, why, "ok", loading_s))
        return LoadResult(self._entry(ask.policy, value, versions, loading_s), loading_s=loading_s)

    def _entry(
        self, policy: CachePolicy, value: bytes, versions: tuple[str, ...], load_s: float, *, negative: bool = False
    ) -> CacheEntry:
        fresh_until = self.now() + self.rules.lifetime(policy.ttl_s)
        return CacheEntry(value, fresh_until, fresh_until + policy.grace_s, load_s, versions, negative, digest(value))

    def _store(self, ask: CacheRequest, entry: CacheEntry, claim: TagVersions, lease: LoadLease | None) -> bool:
        """Put an entry into the level, behind it the end of the lock; tell whether it was.

        A late fill would harm nobody, since its versions are old. But it would stand in the place of what was loaded
        after the invalidation, and cost one more load. So the tags are looked at once more just before.

        Raises:
            CacheUnavailable: the level does not answer.
        """
        further = found_tags(entry.value)
        versions = self._versions_still(ask, further, claim)
        if versions is None:
            self.emit(CameLate(self.level.name, ask.policy.name))
            return False
        encoded = encode(entry._replace(versions=versions), (*ask.tags, *further))
        if len(encoded) > VALUE_LIMIT_BYTES:
            self.emit(TooLarge(self.level.name, ask.policy.name, len(encoded)))
            return False
        passing = claim.made if entry.negative else ()
        self.level.write(ask.key, encoded, entry.kept_until - self.now(), lease, passing)
        self.emit(EntryStored(self.level.name, ask.policy.name, len(encoded)))
        return True

    def _versions_still(
        self, ask: CacheRequest, further: tuple[str, ...], claim: TagVersions
    ) -> tuple[str, ...] | None:
        """Return the versions a loaded value carries; ``None`` where something it was made from has changed meanwhile.

        Of the tags that were found on the way nobody knows how they stood before. So where there are some, nothing at
        all may have been invalidated since: a little more is refused than must be, and the next reader stores it.
        """
        if not further:
            return claim.versions if not ask.tags or self.level.versions(ask.tags) == claim.versions else None
        every = (*ask.tags, *further, ANY)
        known = tuple([version for version in self.level.versions(every) if version is not None])
        *versions, moment = known if len(known) == len(every) else self.level.claim(every).versions
        stands = (tuple(versions[: len(ask.tags)]), moment) == (claim.versions, claim.moment)
        return tuple(versions) if stands else None

    def _settled(self, verdict: EntryFreshness, entry: CacheEntry) -> EntryFreshness:
        """Look at the tags that were not read with the entry; one round trip.

        Raises:
            CacheUnavailable: the level does not answer.
        """
        further = verdict.further
        if self.level.versions(further) != entry.versions[-len(further) :]:
            return INVALIDATED
        return EntryFreshness(verdict.state, entry._replace(value=TaggedValue(entry.value, further)))


def is_loading() -> bool:
    """Tell whether the caller is part of a load, and what it reads part of what will be kept."""
    return _LOADING.get()


def _run(load: Load) -> bytes:
    before = _LOADING.set(True)
    try:
        return load()
    finally:
        _LOADING.reset(before)


def _named(*, absent: bool, refused: bool) -> Literal["absent", "refused", "failed"]:
    if absent:
        return "absent"
    return "refused" if refused else "failed"
