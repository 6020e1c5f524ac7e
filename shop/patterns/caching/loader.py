"""Runs a loader, measures it, and stores its value for the next reader.

Each strategy against stampedes ends here, so the rules for the outcome of a load are written once:

- An entry carries the tag versions from before its load; by them the level recognises a late fill.
- A loader may add further tags that it finds while it loads (:class:`TaggedValue`).
- If the loader raises not-found and negative caching is on, that is cached.
- If the loader fails and stale-if-error is on, the last good value is returned. The key then backs off for a moment
  (``load_options.FailureBackoff``), so that not every reader calls the failing database.
- A value that is too large, or a :class:`DoNotCache`, is returned and not stored.
- A loader may read other values through the same cache. Its value ends with the first of them, so ages do not add up;
  if one of them is stale, the value is returned as stale, and not stored (see ``nested_reads``).

Switches: ``cache.negative``, ``cache.jitter``, ``cache.stale_if_error``.
Source: RFC 5861 (stale-if-error); RFC 2308 (negative answers have a short life of their own).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from shop.clock import Clock
from shop.patterns.caching import nested_reads
from shop.patterns.caching.entry import (
    INVALIDATED,
    MISSING,
    NEGATIVE,
    CacheEntry,
    CachePolicy,
    DoNotCache,
    EntryFreshness,
    TaggedValue,
    check_freshness,
    digest,
    encode,
    found_tags,
    limit_lifetime,
)
from shop.patterns.caching.events import (
    Detail,
    Emit,
    EntryStored,
    LoadFinished,
    LoadReason,
    StaleFillRejected,
    TooLarge,
    ignore,
)
from shop.patterns.caching.levels import ANY_TAG, CacheLevel, ReadResult, TagVersions
from shop.patterns.caching.load_options import FailureBackoff, LoadOptions
from shop.patterns.caching.lock import LoadEnding, LoadLease
from shop.patterns.caching.valkey_client import CacheUnavailable

Load = Callable[[], bytes]


def refuse_load() -> bytes:
    """Fail: the load of a request that is only peeked at."""
    raise AssertionError("peek never loads")


VALUE_LIMIT_BYTES = 1024 * 1024
"""Largest value that is stored. It is fifty times the largest page: a larger value is a mistake, and moving it would
delay every client of the server."""
_BEFORE_EXPIRY = frozenset({"early", "ahead"})
"""Reasons of loads that were not needed yet: if one fails, the entry it was to replace is still fresh."""


@dataclass(frozen=True, slots=True)
class CacheRequest:
    """One look-up: the arguments of ``get_or_load``."""

    key: str
    policy: CachePolicy
    tags: Sequence[str]
    load: Load = refuse_load
    finds_tags: bool = False
    """Whether the value may be a :class:`TaggedValue`."""


class LoadResult(NamedTuple):
    """An entry and how it came about."""

    entry: CacheEntry
    detail: Detail = ""
    stored: bool = False
    collapsed: bool = False
    """Another thread or process loaded it."""
    loading_s: float = 0.0
    """Seconds of this look-up that its own loader took."""
    attempted: bool = True
    """Whether a load was attempted before a stale value was served."""
    level_down: bool = False
    """The level did not answer: broadcasts may not arrive either, so no local copy may be kept."""


class CacheLoader:
    """Runs loaders and stores their values.

    Args:
        level: stores the entries.
        clock: measures lifetimes and loads.
        emit: receives the events.
        options: how the outcomes of loads are handled.
        backoff: the keys whose loads failed lately; one a process.
    """

    def __init__(
        self,
        level: CacheLevel,
        clock: Clock,
        emit: Emit = ignore,
        options: LoadOptions | None = None,
        backoff: FailureBackoff | None = None,
    ) -> None:
        self.level = level
        self.clock = clock
        self.emit = emit
        self.options = options or LoadOptions()
        self.backoff = backoff or FailureBackoff(clock)

    def now(self) -> float:
        """Return unix time in seconds."""
        return self.clock.now().timestamp()

    def is_cacheable(self, policy: CachePolicy) -> bool:
        """Return whether entries of this policy are stored at all."""
        return policy.ttl_s > 0 and not (policy.negative and self.options.not_found is None)

    def read(self, request: CacheRequest) -> ReadResult:
        """Read the entry, its tag versions, and the version of :data:`ANY_TAG` if the load may add tags.

        This takes one round trip.

        Raises:
            CacheUnavailable: the level does not answer.
        """
        if not request.finds_tags:
            return self.level.read(request.key, request.tags)
        stored, versions, _ = self.level.read(request.key, (*request.tags, ANY_TAG))
        return ReadResult(stored, versions[:-1], versions[-1])

    def check_freshness(self, request: CacheRequest, reading: ReadResult) -> EntryFreshness:
        """Decide whether the stored entry may be served; read the versions of its further tags, if it has any.

        Raises:
            CacheUnavailable: the level does not answer.
        """
        now = self.now()
        freshness = check_freshness(reading, now)
        entry = freshness.entry
        if entry is None:
            return freshness
        if unread := freshness.unread_tags:
            if self.level.versions(unread) != entry.versions[-len(unread) :]:
                return INVALIDATED
            entry = entry._replace(value=TaggedValue(entry.value, unread))
            freshness = EntryFreshness(freshness.state, entry)
        if entry.negative and self.options.not_found is None:
            return MISSING  # stored before negative caching was switched off
        ttl_s = (NEGATIVE if entry.negative else request.policy).ttl_s
        return limit_lifetime(freshness, entry, now, ttl_s * self.options.max_lifetime_factor)

    def stale_while_revalidate(self, request: CacheRequest, entry: CacheEntry | None) -> CacheEntry | None:
        """Return an expired entry if it may be served while its successor is loaded (RFC 5861)."""
        if entry is None or self.now() >= entry.fresh_until + request.policy.stale_while_revalidate_s:
            return None
        return entry

    def tag_versions(self, request: CacheRequest, reading: ReadResult) -> TagVersions:
        """Return the tag versions before a load; no round trip if the reading contains all of them.

        Raises:
            CacheUnavailable: the level does not answer.
        """
        known = tuple([version for version in reading.versions if version is not None])
        if len(known) == len(reading.versions) and not (request.finds_tags and reading.any_version is None):
            return TagVersions(known, (), reading.any_version or "")
        if not request.finds_tags:
            return self.level.ensure_tag_versions(request.tags)
        versions, created, _ = self.level.ensure_tag_versions((*request.tags, ANY_TAG))
        return TagVersions(versions[:-1], tuple(tag for tag in created if tag != ANY_TAG), versions[-1])

    def tag_versions_of(self, request: CacheRequest, entry: CacheEntry) -> TagVersions:
        """Return the tag versions before the refresh of a fresh entry: the versions of the entry."""
        known = entry.versions[: len(request.tags)]
        if not request.finds_tags:
            return TagVersions(known)
        return TagVersions(known, (), self.level.ensure_tag_versions((*request.tags, ANY_TAG)).versions[-1])

    def load_and_store(
        self,
        request: CacheRequest,
        versions: TagVersions,
        why: LoadReason,
        last: CacheEntry | None = None,
        lease: LoadLease | None = None,
    ) -> LoadResult:
        """Load, store, and release the lock, if one is held, in every case.

        Args:
            request: the look-up.
            versions: the tag versions before this call.
            why: for the metrics.
            last: the entry that may be served if the load fails.
            lease: the lock the caller holds.
        """
        held = lease
        ending: LoadEnding = "failed"
        try:
            result = self.load(request, versions.versions, why, last)
            if result.entry is last:
                return result
            ending = "unstored"
            if not isinstance(result.entry.value, DoNotCache) and result.entry.fresh_until > self.now():
                with suppress(CacheUnavailable):  # the level has emitted it; the value is as good without the level
                    result = result._replace(level_down=True)
                    stored = self._store(request, result.entry, versions, held)
                    result, held = result._replace(stored=stored, level_down=False), None if stored else held
            return result
        except Exception as error:
            is_shared = not (self.options.is_expected_error(error) or self.options.is_caller_error(error))
            ending = "failed" if is_shared else "unstored"
            raise
        finally:
            if held is not None:
                self.level.release(held, ending)

    def load(
        self, request: CacheRequest, versions: tuple[str, ...], why: LoadReason, last: CacheEntry | None = None
    ) -> LoadResult:
        """Run the loader and make an entry of its value or its not-found exception; store nothing.

        Raises:
            Exception: the loader's, if it cannot be cached and the last good value may not be returned.
        """
        started = self.clock.monotonic()
        nested, token = nested_reads.begin()
        try:
            value = request.load()
        except Exception as error:
            loading_s = self.clock.monotonic() - started
            not_found = self.options.encode_not_found(error)
            if not_found is not None:
                self.emit(LoadFinished(request.policy.name, why, "absent", loading_s))
                entry = self._make_entry(NEGATIVE, not_found.encode(), versions, loading_s, nested, negative=True)
                return LoadResult(entry)
            expected = self.options.is_expected_error(error)
            self.emit(LoadFinished(request.policy.name, why, "refused" if expected else "failed", loading_s))
            if expected or last is None or not (self.options.stale_if_error or why in _BEFORE_EXPIRY):
                raise
            self.backoff.record_failure(request.key)
            return LoadResult(last, "stale-if-error", loading_s=loading_s)
        finally:
            nested_reads.end(token)
        loading_s = self.clock.monotonic() - started
        self.emit(LoadFinished(request.policy.name, why, "ok", loading_s))
        if nested.detail == "stale-if-error":
            self.backoff.record_failure(request.key)
        entry = self._make_entry(request.policy, value, versions, loading_s, nested)
        return LoadResult(entry, nested.detail, loading_s=loading_s)

    def share_failure(self, request: CacheRequest, last: CacheEntry | None) -> LoadResult:
        """Return the last good value after the load that this process waited for has failed in another process.

        Raises:
            Exception: of ``make_load_error``, if the last good value may not be returned.
        """
        if last is None or not self.options.stale_if_error:
            raise self.options.make_load_error()
        self.backoff.record_failure(request.key)
        return LoadResult(last, "stale-if-error")

    def is_renewable(self, request: CacheRequest, entry: CacheEntry) -> bool:
        """Return whether the caller is part of a load, and a fresh entry is in the last part of its life."""
        if not nested_reads.is_loading():
            return False
        ttl_s = self.options.lifetime((NEGATIVE if entry.negative else request.policy).ttl_s)
        return self.now() >= entry.fresh_until - nested_reads.RENEWAL_SHARE * ttl_s

    def _make_entry(
        self,
        policy: CachePolicy,
        value: bytes,
        versions: tuple[str, ...],
        load_s: float,
        nested: nested_reads.NestedReads,
        *,
        negative: bool = False,
    ) -> CacheEntry:
        fresh_until = min(self.now() + self.options.lifetime(policy.ttl_s), nested.fresh_until)
        return CacheEntry(value, fresh_until, fresh_until + policy.grace_s, load_s, versions, negative, digest(value))

    def _store(self, request: CacheRequest, entry: CacheEntry, before: TagVersions, lease: LoadLease | None) -> bool:
        """Store an entry, and then release the lock; return whether the entry was stored.

        An entry whose tags were invalidated during its load would never be served, because its versions are old. But it
        could replace a valid entry that was loaded after the invalidation, and that one would have to be loaded again.
        So the method reads the tag versions once more, and stores nothing if one has changed.

        Raises:
            CacheUnavailable: the level does not answer.
        """
        further = found_tags(entry.value)
        versions = self._unchanged_versions(request, further, before)
        if versions is None:
            self.emit(StaleFillRejected(self.level.name, request.policy.name))
            return False
        encoded = encode(entry._replace(versions=versions), (*request.tags, *further))
        if len(encoded) > VALUE_LIMIT_BYTES:
            self.emit(TooLarge(self.level.name, request.policy.name, len(encoded)))
            return False
        ephemeral_tags = before.created if entry.negative else ()
        self.level.write(request.key, encoded, entry.grace_until - self.now(), lease, ephemeral_tags)
        self.emit(EntryStored(self.level.name, request.policy.name, len(encoded)))
        return True

    def _unchanged_versions(
        self, request: CacheRequest, further: tuple[str, ...], before: TagVersions
    ) -> tuple[str, ...] | None:
        """Return the versions for a loaded value; ``None`` if one of its tags was invalidated during the load.

        The loader finds further tags during the load, so their versions before the load are unknown. A value with
        further tags is therefore stored only if no tag at all was invalidated during the load. This rejects a few more
        values than necessary; the next reader loads and stores them.
        """
        if not further:
            unchanged = not request.tags or self.level.versions(request.tags) == before.versions
            return before.versions if unchanged else None
        every = (*request.tags, *further, ANY_TAG)
        known = tuple([version for version in self.level.versions(every) if version is not None])
        *versions, any_version = known if len(known) == len(every) else self.level.ensure_tag_versions(every).versions
        unchanged = (tuple(versions[: len(request.tags)]), any_version) == (before.versions, before.any_version)
        return tuple(versions) if unchanged else None
