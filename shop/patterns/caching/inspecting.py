"""Looking into the shared level from outside: what stands under a key, and whether it would be served."""

from dataclasses import dataclass

from shop.patterns.caching.envelope import decode, tags_named
from shop.patterns.caching.freshness import judge
from shop.patterns.caching.levels import CacheLevel


@dataclass(frozen=True, slots=True)
class EntryInspection:
    """An entry as it stands. Times are seconds from now."""

    key: str
    state: str
    """``fresh``, ``expired`` (served only in need), ``invalidated``, ``unreadable`` or ``missing``."""
    fresh_s: float = 0.0
    kept_s: float = 0.0
    load_s: float = 0.0
    bytes: int = 0
    negative: bool = False
    tags: tuple[str, ...] = ()
    ended_by: tuple[str, ...] = ()
    """The tags that no longer stand as they did when it was loaded."""


def inspect(level: CacheLevel, key: str, now: float) -> EntryInspection:
    """Return what stands under a key.

    Args:
        level: looked into.
        key: as features name it, without the level's own prefix.
        now: unix time in seconds.

    Raises:
        CacheUnavailable: the level does not answer.
    """
    stored = level.read(key, ()).stored
    if stored is None:
        return EntryInspection(key, "missing")
    entry = decode(stored)
    if entry is None:
        return EntryInspection(key, "unreadable", bytes=len(stored))
    tags = tags_named(stored)
    reading = level.read(key, tags)
    pairs = zip(tags, entry.versions, reading.versions, strict=False)
    return EntryInspection(
        key=key,
        state=judge(reading, now).state,
        fresh_s=round(entry.fresh_until - now, 1),
        kept_s=round(entry.kept_until - now, 1),
        load_s=entry.load_s,
        bytes=len(stored),
        negative=entry.negative,
        tags=tags,
        ended_by=tuple(tag for tag, then, by_now in pairs if then != by_now),
    )
