"""Two-level cache: process memory in front of Valkey.

Read with ``get_or_load``, tag each value with the data it depends on, call ``invalidate(tags)`` after a write. The
package is usable alone: it imports neither the store nor its framework, and reports events to one function.

    >>> from shop.clock import FakeClock
    >>> clock = FakeClock()
    >>> local = LocalLevel(limit_bytes=1_000_000, clock=clock)
    >>> local.set_connected(connected=True)  # with several processes an InvalidationListener does this
    >>> cache = Cache(NullLevel(), clock, local=local)  # or SharedLevel("redis://127.0.0.1:6379/0", 100, clock)

A look-up names the key, the policy, the tags, and the function that loads the value:

    >>> def price():
    ...     print("loading")
    ...     return b"12.00"
    >>> cache.get_or_load("price:mug", CATALOGUE, ["product:mug"], price)
    loading
    b'12.00'
    >>> cache.get_or_load("price:mug", CATALOGUE, ["product:mug"], price)
    b'12.00'

An entry ends when one of its tags is invalidated, or with its time (a copy in memory lives for seconds):

    >>> cache.invalidate(["product:mug"])
    True
    >>> cache.get_or_load("price:mug", CATALOGUE, ["product:mug"], price)
    loading
    b'12.00'
    >>> clock.advance(6)
    >>> cache.get_or_load("price:mug", CATALOGUE, ["product:mug"], price)
    loading
    b'12.00'
"""

from shop.patterns.caching.cache import Cache, MakeStrategy
from shop.patterns.caching.entry import (
    CATALOGUE,
    JITTER_SHARE,
    LIVE,
    NEGATIVE,
    PERSONAL,
    REFERENCE,
    SEARCH,
    CacheableResponse,
    CachePolicy,
    DoNotCache,
    Lifetime,
    TaggedValue,
    digest,
    found_tags,
    jittered,
    no_jitter,
    scaled,
)
from shop.patterns.caching.invalidation_bus import InvalidationBarrier, InvalidationListener
from shop.patterns.caching.levels import CacheLevel, InvalidateOnlyLevel, NullLevel
from shop.patterns.caching.load_options import FailureBackoff, LoadOptions
from shop.patterns.caching.loader import CacheRequest
from shop.patterns.caching.local import InvalidateOnlyLocal, LocalCache, LocalEntry, LocalLevel
from shop.patterns.caching.lock_strategy import LockedLoad, LockWithEarlyExpiry, StampedeState
from shop.patterns.caching.refresh import HitCounter, RefreshAhead, RefreshWorker
from shop.patterns.caching.shared import SharedLevel
from shop.patterns.caching.stampede import EarlyExpiry, NoProtection, StampedeStrategy
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.caching.write_strategies import CacheClient, EventInvalidation, TtlOnly, WriteThrough

__all__ = [
    "CATALOGUE",
    "JITTER_SHARE",
    "LIVE",
    "NEGATIVE",
    "PERSONAL",
    "REFERENCE",
    "SEARCH",
    "Cache",
    "CacheClient",
    "CacheLevel",
    "CachePolicy",
    "CacheRequest",
    "CacheUnavailable",
    "CacheableResponse",
    "DoNotCache",
    "EarlyExpiry",
    "EventInvalidation",
    "FailureBackoff",
    "HitCounter",
    "InvalidateOnlyLevel",
    "InvalidateOnlyLocal",
    "InvalidationBarrier",
    "InvalidationListener",
    "Lifetime",
    "LoadOptions",
    "LocalCache",
    "LocalEntry",
    "LocalLevel",
    "LockWithEarlyExpiry",
    "LockedLoad",
    "MakeStrategy",
    "NoProtection",
    "NullLevel",
    "RefreshAhead",
    "RefreshWorker",
    "SharedLevel",
    "StampedeState",
    "StampedeStrategy",
    "TaggedValue",
    "TtlOnly",
    "WriteThrough",
    "digest",
    "found_tags",
    "jittered",
    "no_jitter",
    "scaled",
]
