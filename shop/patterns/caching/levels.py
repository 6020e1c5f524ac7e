"""Where entries are kept: the face every level has, and the two that keep nothing."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from shop.patterns.caching.lock import Ended, LoadLease

Versions = tuple[str | None, ...]
"""How each tag stands, in the order asked; ``None`` for a tag the level knows nothing of."""


ANY = "*"
"""A tag that no entry carries and every invalidation renews: while it stands, nothing at all was invalidated."""


class CacheUnavailable(Exception):
    """The level does not answer, or is being left alone because it did not."""


class CacheRefusedWrite(CacheUnavailable):
    """The level answers, and refuses to write: it is full, or may only be read."""


class ReadResult(NamedTuple):
    """What a level holds under a key, and how the tags stood just after that was read."""

    stored: bytes | None
    versions: Versions
    moment: str | None = None
    """How :data:`ANY` stood, where that was read as well and the level knows it."""


class TagVersions(NamedTuple):
    """How the tags stand before a load begins."""

    versions: tuple[str, ...]
    made: tuple[str, ...] = ()
    """The tags that nobody knew before, and that only this load uses so far."""
    moment: str = ""
    """How :data:`ANY` stands, for a load that may find further tags; empty for others."""


class LockAttempt(NamedTuple):
    """What came of trying to take a lock."""

    mine: bool
    reading: ReadResult
    holder: str = ""
    """The token of whoever holds the lock."""
    ended: str = ""
    """How the last load under this name ended that stored nothing, as :func:`lock.in_vain` wrote it."""


class CacheLevel(Protocol):
    """A store of encoded entries that also keeps a version for each tag, and a lock for each load.

    Every method but :meth:`invalidate` and :meth:`release` raises :class:`Away` when the level cannot answer in time.
    """

    @property
    def name(self) -> str:
        """Return its name, as ``Cache-Status`` shows it."""

    @property
    def enabled(self) -> bool:
        """Tell whether it can hold anything at all."""

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the entry and the tags' versions, in one round trip."""

    def read_many(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[ReadResult]:
        """Return several keys' readings, in one round trip."""

    def versions(self, tags: Sequence[str]) -> Versions:
        """Return how the tags stand now."""

    def claim(self, tags: Sequence[str]) -> TagVersions:
        """Return how the tags stand now, giving a version to each that has none. Call it before a load."""

    def take(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Take the lock if it is free, and then read, in one round trip."""

    def write(
        self, key: str, stored: bytes, ttl_s: float, lease: LoadLease | None = None, passing: Sequence[str] = ()
    ) -> None:
        """Keep an encoded entry for at most ``ttl_s`` seconds, ``passing`` tags no longer, and release the lock."""

    def release(self, lease: LoadLease, ended: Ended | None = None) -> None:
        """Give the lock back and wake who waits for it; do nothing if it is no longer the caller's.

        Args:
            lease: the lock.
            ended: how a load ended that stored nothing, for those who waited for it; ``None`` where none began.
        """

    def extend(self, lease: LoadLease) -> bool:
        """Hold the lock for its whole time again; tell whether it is still the caller's."""

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag, and :data:`ANY`, a version never seen before.

        Returns:
            Whether it is done; ``False`` when the level is away and is owed it, in front of its next answer.
        """

    def close(self) -> None:
        """Give back what it holds of the machine."""


class NullLevel:
    """Keeps nothing: what a store without a cache is wired with. It is never asked, only told."""

    name = "none"
    enabled = False

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def read_many(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[ReadResult]:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def versions(self, tags: Sequence[str]) -> Versions:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def claim(self, tags: Sequence[str]) -> TagVersions:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def take(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def write(
        self, key: str, stored: bytes, ttl_s: float, lease: LoadLease | None = None, passing: Sequence[str] = ()
    ) -> None:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def release(self, lease: LoadLease, ended: Ended | None = None) -> None:
        """Agree: nobody holds one."""

    def extend(self, lease: LoadLease) -> bool:
        """Refuse."""
        raise CacheUnavailable(self.name)

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Agree: nothing is kept, so nothing is stale."""
        return True

    def close(self) -> None:
        """Hold nothing to give back."""


class SwitchedOff(NullLevel):
    """A level that is neither read nor written, but still told of invalidations.

    Without that, an entry stored before the switch was turned off would be served, stale, once it is turned on again.
    """

    def __init__(self, level: CacheLevel) -> None:
        self.name = level.name
        self._level = level

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Pass it on."""
        return self._level.invalidate(tags)
