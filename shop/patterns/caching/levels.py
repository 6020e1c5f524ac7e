"""Cache levels: the interface that every shared level implements, and two levels that store nothing."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from shop.patterns.caching.lock import LoadEnding, LoadLease
from shop.patterns.caching.valkey_client import CacheUnavailable

Versions = tuple[str | None, ...]
"""The version of each tag, in the order of the request; ``None`` for a tag that the level does not know."""


ANY_TAG = "*"
"""The name of one special tag, not a wildcard. No entry carries it, and every invalidation gives it a new version:
while its version is the same, no tag was invalidated."""


class ReadResult(NamedTuple):
    """The stored entry of a key, and the tag versions just after the entry was read."""

    stored: bytes | None
    versions: Versions
    any_version: str | None = None
    """The version of :data:`ANY_TAG`, if it was read as well and the level knows it."""


class TagVersions(NamedTuple):
    """The tag versions before a load begins."""

    versions: tuple[str, ...]
    created: tuple[str, ...] = ()
    """The tags that had no version before; so far only this load uses them."""
    any_version: str = ""
    """The version of :data:`ANY_TAG`, for a load that may name further tags; empty for other loads."""


class LockAttempt(NamedTuple):
    """The outcome of an attempt to take a lock."""

    acquired: bool
    reading: ReadResult
    holder: str = ""
    """The token of the holder."""
    ending: str = ""
    """The note of the last load under this name that stored nothing: how it ended, and its token."""


class CacheLevel(Protocol):
    """Stores encoded entries, a version for each tag, and a lock for each load.

    Every method but :meth:`invalidate` and :meth:`release` raises :class:`CacheUnavailable` if the level does not
    reply in time.
    """

    @property
    def name(self) -> str:
        """Return its name, as ``Cache-Status`` shows it."""

    @property
    def enabled(self) -> bool:
        """Return whether it can store anything at all."""

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the entry and the tag versions, in one round trip."""

    def read_many(self, lookups: Sequence[tuple[str, Sequence[str]]]) -> list[ReadResult]:
        """Return the results for several keys, in one round trip."""

    def versions(self, tags: Sequence[str]) -> Versions:
        """Return the tag versions."""

    def ensure_tag_versions(self, tags: Sequence[str]) -> TagVersions:
        """Return the tag versions; give a version to each tag that has none. Call it before a load."""

    def acquire_and_read(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Take the lock if it is free, and then read, in one round trip."""

    def write(
        self, key: str, stored: bytes, ttl_s: float, lease: LoadLease | None = None, ephemeral_tags: Sequence[str] = ()
    ) -> None:
        """Store an entry for at most ``ttl_s`` seconds, ``ephemeral_tags`` no longer, and release the lock."""

    def release(self, lease: LoadLease, ending: LoadEnding | None = None) -> None:
        """Release the lock and wake waiting processes; do nothing if the caller no longer holds the lock.

        Args:
            lease: the lock.
            ending: how a load ended that stored nothing, for the waiting processes; ``None`` if no load began.
        """

    def extend(self, lease: LoadLease) -> bool:
        """Restart the time of the lock; return whether the caller still held it."""

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag, and :data:`ANY_TAG`, a version never used before.

        Returns:
            Whether it is done; ``False`` when the level is down and the invalidation stays pending.
        """

    def close(self) -> None:
        """Close its connections."""


class NullLevel:
    """Stores nothing: the level of a store without a cache. Only :meth:`invalidate` is called."""

    name = "none"
    enabled = False

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def read_many(self, lookups: Sequence[tuple[str, Sequence[str]]]) -> list[ReadResult]:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def versions(self, tags: Sequence[str]) -> Versions:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def ensure_tag_versions(self, tags: Sequence[str]) -> TagVersions:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def acquire_and_read(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def write(
        self, key: str, stored: bytes, ttl_s: float, lease: LoadLease | None = None, ephemeral_tags: Sequence[str] = ()
    ) -> None:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def release(self, lease: LoadLease, ending: LoadEnding | None = None) -> None:
        """Do nothing: it has no locks."""

    def extend(self, lease: LoadLease) -> bool:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Return that it is done: it stores nothing, so nothing is stale."""
        return True

    def close(self) -> None:
        """Do nothing: it has no connections."""


class InvalidateOnlyLevel(NullLevel):
    """A level that is neither read nor written, but still receives invalidations.

    Without them, a stale entry from before the switch was turned off would be served when it is turned on again.
    """

    def __init__(self, level: CacheLevel) -> None:
        self.name = level.name
        self._level = level

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Pass it on."""
        return self._level.invalidate(tags)
