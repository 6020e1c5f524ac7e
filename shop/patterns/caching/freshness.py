"""Whether what a level holds may be served: a decision without I/O."""

from typing import Literal, NamedTuple

from shop.patterns.caching.envelope import CacheEntry, decode, tags_named
from shop.patterns.caching.levels import ReadResult

State = Literal["fresh", "expired", "invalidated", "missing"]


class EntryFreshness(NamedTuple):
    """What a reading is worth."""

    state: State
    entry: CacheEntry | None
    """What may be served: of a ``fresh`` entry at once, of an ``expired`` one only in need."""
    further: tuple[str, ...] = ()
    """Tags of the entry that were not read; only if they stand, too, does the verdict."""


MISSING = EntryFreshness("missing", None)
INVALIDATED = EntryFreshness("invalidated", None)


def judge(reading: ReadResult, now: float) -> EntryFreshness:
    """Decide what may be done with what a level holds.

    An invalidated entry is worth nothing, in need neither: it is known to be wrong, an expired one is only unknown to
    be right.

    Args:
        reading: the stored entry and how its tags stand.
        now: unix time in seconds.
    """
    if reading.stored is None:
        return MISSING
    entry = decode(reading.stored)
    if entry is None or entry.kept_until <= now:
        return MISSING
    state: State = "fresh" if entry.fresh_until > now else "expired"
    if entry.versions == reading.versions:
        return EntryFreshness(state, entry)
    known = len(reading.versions)
    if entry.versions[:known] != reading.versions:
        return INVALIDATED
    return EntryFreshness(state, entry, tags_named(reading.stored)[known:])


def bounded(verdict: EntryFreshness, entry: CacheEntry, now: float, longest_s: float) -> EntryFreshness:
    """Take an entry for expired that claims to live longer than any of its class.

    The clock of whoever stored it was ahead, or this one was set back. How long it has been there nobody can say.

    Args:
        verdict: on the entry.
        entry: that was judged.
        now: unix time in seconds.
        longest_s: seconds an entry of its class lives at most.
    """
    if entry.fresh_until - now <= longest_s:
        return verdict
    grace_s = entry.kept_until - entry.fresh_until
    return verdict._replace(state="expired", entry=entry._replace(fresh_until=now, kept_until=now + grace_s))
