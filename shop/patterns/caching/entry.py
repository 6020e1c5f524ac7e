"""A cached value: its policy, its lifetime, how it is stored, and whether it may be served. No I/O here.

Problem: one lifetime for all data is too long where stale data hurts, and too short for data that never changes. Equal
lifetimes of entries that were filled together (a deployment, an import, a flush) let all of them expire within the same
seconds, again and again (an avalanche). And a hot entry's expiry is one moment for all readers: each reader that comes
while it is loaded again finds nothing.
Method, in four parts:

- A policy bounds how stale the data may be if an invalidation is lost. So it is chosen by the cost of stale data, not
  by the cost of the query. After its fresh time an entry may be served in two cases: while its successor is loaded, and
  when a load fails. Each case has its own bound. The bound for failures is never the shorter one: an old price
  is better than an error page, but a saved wait is not worth an old price. Both bounds hold at the edge as well. An
  invalidated entry is served in neither case.
- A lifetime is drawn from 10 % around the policy's. The next expiry is spread over a fifth of the lifetime, the one
  after that wider still.
- An entry is stored as one line of JSON, followed by the value's own bytes. Never pickle: a writer to the cache could
  then run code here. The version in the header lets two releases share one cache; an entry this release cannot read
  is a miss, not an error. The header is a list, read with one call of the JSON scanner, since every hit of the shared
  level pays for it: 1.3 microseconds, a third less than for an object.
- XFetch (probabilistic early expiration): each reader draws a random time, from an exponential distribution scaled by
  the load time, and adds it to the present time. If the entry has expired by that time, the reader refreshes it. The
  other readers still serve it. So only the reader that refreshes waits, and the readers need no lock and no message. An
  entry that is missing or invalidated cannot be refreshed early. And several readers may draw an early refresh at once
  (2.7 on average at beta 1, by the paper), so ``lock+early`` lets only one of them load.

Switches: ``cache.jitter``; ``cache.stampede``, ``early`` and ``lock+early``.
Source: RFC 9111, 4.2.4 and RFC 5861 (stale-while-revalidate, stale-if-error); Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015; Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede
Prevention", VLDB 2015 (XFetch).
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from shop.patterns.caching.levels import ReadResult

OUTAGE_S = 10 * 60
"""Seconds of an outage that public pages survive."""
JITTER_SHARE = 0.1
"""It spreads a fill of seconds over a minute of a five-minute policy, and it is so small that the policy still bounds
how stale the data may be."""
BETA = 1.0
"""The paper's optimum where a load too early costs as much as a wait; a larger beta refreshes sooner."""
VERSION = 3
"""Of the stored form."""
DIGEST_CHARS = 32
"""128 bits in hex: two values of one key never share a digest."""
_END_OF_HEADER = b"\n"
_read_json = json.JSONDecoder().raw_decode  # json.loads would first guess the encoding


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How long one class of data may be cached.

    Args:
        name: one of few, for metrics and logs.
        ttl_s: seconds an entry is fresh; 0 means it is never stored.
        private: whether it belongs to one person; its key must then name that person.
        browser_s: seconds a browser may use it without asking; an invalidation does not reach browsers.
        stale_while_revalidate_s: seconds it may be served after its fresh time while its successor is loaded.
        stale_if_error_s: the same while loading fails; not less.
        negative: whether it only remembers that something does not exist.
    """

    name: str
    ttl_s: int
    private: bool = False
    browser_s: int = 0
    stale_while_revalidate_s: int = 0
    stale_if_error_s: int = 0
    negative: bool = False

    @property
    def grace_s(self) -> int:
        """Return the seconds it is kept after its fresh time."""
        return max(self.stale_while_revalidate_s, self.stale_if_error_s)


REFERENCE = CachePolicy(
    "reference", ttl_s=6 * 3600, browser_s=5 * 60, stale_while_revalidate_s=10 * 60, stale_if_error_s=OUTAGE_S
)
"""Changes with a release or an editor's decision: the category tree."""
CATALOGUE = CachePolicy("catalogue", ttl_s=5 * 60, stale_while_revalidate_s=60, stale_if_error_s=OUTAGE_S)
"""Changes during the day, and a few minutes late would be bearable: products, lists, reviews."""
SEARCH = CachePolicy("search", ttl_s=30, stale_while_revalidate_s=30, stale_if_error_s=OUTAGE_S)
"""Results of typed searches. They are seldom requested twice, and any change that may alter one of them invalidates all
of them."""
PERSONAL = CachePolicy("personal", ttl_s=60, private=True, stale_while_revalidate_s=60, stale_if_error_s=60)
"""Belongs to one person, and that person notices stale data."""
NEGATIVE = CachePolicy("negative", ttl_s=10, negative=True)
"""Says that something does not exist. Its lifetime is short, because a mistaken address is seldom requested again, and
an editor who has just made the thing wants to see it. It is never served stale, because another look-up is cheap."""
LIVE = CachePolicy("live", ttl_s=0)
"""Data that is wrong as soon as it is old: stock, carts, prices at checkout."""


Lifetime = Callable[[float], float]
"""From the seconds of a policy to the seconds of one entry."""


def spread(ttl_s: float, draw: float, share: float = JITTER_SHARE) -> float:
    """Return a lifetime within ``share`` of ``ttl_s``.

    Args:
        ttl_s: seconds.
        draw: a random number, 0 to 1, uniform.
        share: of the lifetime, to either side.
    """
    return ttl_s * (1 + share * (2 * draw - 1))


def jittered(draw: Callable[[], float]) -> Lifetime:
    """Return lifetimes spread by the random numbers of ``draw``."""
    return lambda ttl_s: spread(ttl_s, draw())


def no_jitter(ttl_s: float) -> float:
    """Return the policy's own lifetime."""
    return ttl_s


def scaled(lifetime: Lifetime, factor: float) -> Lifetime:
    """Return lifetimes multiplied by a factor, so that an experiment can watch entries expire."""
    return lambda ttl_s: factor * lifetime(ttl_s)


class DoNotCache(bytes):
    """A loaded value that is not stored: it is unlikely to be requested twice."""


class TaggedValue(bytes):
    """A value with the further tags that its loader found: the tags of the other things it shows."""

    tags: tuple[str, ...]

    def __new__(cls, value: bytes, tags: Sequence[str]) -> "TaggedValue":
        """Attach the tags."""
        tagged = super().__new__(cls, value)
        tagged.tags = tuple(tags)
        return tagged


def found_tags(value: bytes) -> tuple[str, ...]:
    """Return the further tags of a value."""
    return value.tags if isinstance(value, TaggedValue) else ()


@dataclass(frozen=True, slots=True)
class CacheableResponse:
    """A response that is the same for every visitor: its bytes, and how they may be cached on the way.

    Args:
        value: the bytes that are sent.
        policy: how long it may be cached, and by which caches.
        tags: what it was made from.
        key: its key in this cache; ``None`` if this cache does not store it.
    """

    value: bytes
    policy: CachePolicy
    tags: tuple[str, ...] = ()
    key: str | None = None


def digest(value: bytes) -> str:
    """Return a value's digest: the same in every process, on every host, after every restart.

    SHA-256, because processors have instructions for it: a third of the time of BLAKE2 for a page.
    """
    return hashlib.sha256(value).hexdigest()[:DIGEST_CHARS]


class CacheEntry(NamedTuple):
    """A stored value and its metadata. Times are unix time in seconds."""

    value: bytes
    fresh_until: float
    """Afterwards it is served only while its successor is loaded, or when loading fails."""
    grace_until: float
    """Afterwards it is not served, even if the level still holds it."""
    load_s: float
    """Seconds the loader took: the cost of one more load."""
    versions: tuple[str, ...]
    """The tag versions before the value was loaded, in the order of the tags."""
    negative: bool = False
    """Whether it says that the thing does not exist; the value is then the text of the error."""
    digest: str = ""
    """Of the value, computed once, when it is stored: hashing a page costs as much as reading it from Valkey."""


def encode(entry: CacheEntry, tags: Sequence[str] = ()) -> bytes:
    """Write an entry as the bytes a level stores, with the names of its tags."""
    header = [
        VERSION,
        round(entry.fresh_until, 3),
        round(entry.grace_until, 3),
        round(entry.load_s, 6),
        int(entry.negative),
        entry.digest or digest(entry.value),
        " ".join(tags),
        entry.versions,
    ]
    return json.dumps(header, separators=(",", ":")).encode() + _END_OF_HEADER + entry.value


def decode(stored: bytes) -> CacheEntry | None:
    """Read the bytes a level stored; ``None`` if they are not of this release's form."""
    header, separator, value = stored.partition(_END_OF_HEADER)
    if not separator:
        return None
    try:
        (version, fresh_until, grace_until, load_s, negative, value_digest, _, versions), _ = _read_json(
            header.decode()
        )
        if version != VERSION or not isinstance(versions, list):
            return None
        times = float(fresh_until), float(grace_until), float(load_s)
        return CacheEntry(value, *times, tuple(versions), negative == 1, str(value_digest))
    except (ValueError, TypeError):
        return None


def stored_tags(stored: bytes) -> tuple[str, ...]:
    """Return the names of the tags of a readable stored entry."""
    header = stored.partition(_END_OF_HEADER)[0]
    return tuple(str(_read_json(header.decode())[0][6]).split())


FreshnessState = Literal["fresh", "expired", "invalidated", "missing"]


class EntryFreshness(NamedTuple):
    """Whether a stored entry may be served."""

    state: FreshnessState
    entry: CacheEntry | None
    """What may be served: a ``fresh`` entry at once, an ``expired`` entry only while another loads or loading fails."""
    unread_tags: tuple[str, ...] = ()
    """Tags of the entry whose versions were not read; the state holds only if their versions are the same, too."""

    @property
    def load_reason(self) -> Literal["miss", "stale"]:
        """Return the label of a load that follows from this state."""
        return "miss" if self.state == "missing" else "stale"


MISSING = EntryFreshness("missing", None)
INVALIDATED = EntryFreshness("invalidated", None)


def check_freshness(reading: ReadResult, now: float) -> EntryFreshness:
    """Decide whether a stored entry may be served.

    An invalidated entry is never served: it is known to be wrong. An expired entry may still be right.

    Args:
        reading: the stored entry and the present tag versions.
        now: unix time in seconds.
    """
    if reading.stored is None:
        return MISSING
    entry = decode(reading.stored)
    if entry is None or entry.grace_until <= now:
        return MISSING
    state: FreshnessState = "fresh" if entry.fresh_until > now else "expired"
    if entry.versions == reading.versions:
        return EntryFreshness(state, entry)
    known = len(reading.versions)
    if entry.versions[:known] != reading.versions:
        return INVALIDATED
    return EntryFreshness(state, entry, stored_tags(reading.stored)[known:])


def limit_lifetime(freshness: EntryFreshness, entry: CacheEntry, now: float, longest_s: float) -> EntryFreshness:
    """Treat an entry as expired if it claims a longer life than its policy allows.

    The clock of the process that stored it was ahead, or this clock was set back. The entry's age is unknown then.

    Args:
        freshness: of the entry.
        entry: the entry.
        now: unix time in seconds.
        longest_s: seconds that an entry of its policy lives at most.
    """
    if entry.fresh_until - now <= longest_s:
        return freshness
    grace_s = entry.grace_until - entry.fresh_until
    return freshness._replace(state="expired", entry=entry._replace(fresh_until=now, grace_until=now + grace_s))


def xfetch(fresh_until: float, load_s: float, draw: float, beta: float = BETA) -> float:
    """Return the time from which this reader treats the entry as expired; never after its real expiry.

    Args:
        fresh_until: when it expires, unix time in seconds.
        load_s: what the last load took, in seconds.
        draw: a random number, 0 to 1, uniform.
        beta: a larger beta refreshes sooner.
    """
    return fresh_until + load_s * beta * math.log(max(draw, math.ulp(0.0)))
