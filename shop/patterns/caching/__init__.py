"""A cache in two levels: read through it, say what you read, and tell it what changed.

It is usable alone: it knows neither the store nor its framework, and tells what happens through one callable.

    >>> from shop.clock import FakeClock
    >>> clock = FakeClock()
    >>> local = LocalLevel(limit_bytes=1_000_000, clock=clock)
    >>> local.hears(broadcasts=True)  # with several processes a Listener says so
    >>> cache = Cache(NullLevel(), clock, local=local)  # or SharedLevel("redis://127.0.0.1:6379/0", 100, clock)

A value is asked for with its key, its class, what it is made from, and how to make it:

    >>> def price():
    ...     print("loading")
    ...     return b"12.00"
    >>> cache.get_or_load("price:mug", CATALOGUE, ["product:mug"], price)
    loading
    b'12.00'
    >>> cache.get_or_load("price:mug", CATALOGUE, ["product:mug"], price)
    b'12.00'

It ends when what it is made from has changed, or with its time (a copy in memory lives for seconds):

    >>> cache.invalidate(["product:mug"])
    >>> cache.get_or_load("price:mug", CATALOGUE, ["product:mug"], price)
    loading
    b'12.00'
    >>> clock.advance(6)
    >>> cache.get_or_load("price:mug", CATALOGUE, ["product:mug"], price)
    loading
    b'12.00'
"""

from shop.patterns.caching.barrier import InvalidationBarrier
from shop.patterns.caching.cache import Cache
from shop.patterns.caching.cacheable_response import CacheableResponse, digest
from shop.patterns.caching.failure_backoff import FailureBackoff
from shop.patterns.caching.invalidation_bus import InvalidationListener
from shop.patterns.caching.jitter import exact, hurried, jittered
from shop.patterns.caching.levels import CacheLevel, NullLevel, SwitchedOff
from shop.patterns.caching.loader import CacheRequest, DoNotCache, LoadOptions, TaggedValue, found_tags
from shop.patterns.caching.local import LocalCache, LocalEntry, LocalLevel, SwitchedOffLocal
from shop.patterns.caching.lock_strategy import LockedEarly, LockedLoad, StampedeState
from shop.patterns.caching.policy import CATALOGUE, LIVE, NEGATIVE, PERSONAL, REFERENCE, SEARCH, CachePolicy
from shop.patterns.caching.refresh import HitCounter, RefreshAhead, RefreshWorker
from shop.patterns.caching.shared import SharedLevel
from shop.patterns.caching.stampede import EarlyExpiry, NoProtection, StampedeStrategy
from shop.patterns.caching.writing import CacheClient, OnEvent, TimeOnly, WriteThrough

__all__ = [
    "CATALOGUE",
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
    "CacheableResponse",
    "DoNotCache",
    "EarlyExpiry",
    "FailureBackoff",
    "HitCounter",
    "InvalidationBarrier",
    "InvalidationListener",
    "LoadOptions",
    "LocalCache",
    "LocalEntry",
    "LocalLevel",
    "LockedEarly",
    "LockedLoad",
    "NoProtection",
    "NullLevel",
    "OnEvent",
    "RefreshAhead",
    "RefreshWorker",
    "SharedLevel",
    "StampedeState",
    "StampedeStrategy",
    "SwitchedOff",
    "SwitchedOffLocal",
    "TaggedValue",
    "TimeOnly",
    "WriteThrough",
    "digest",
    "exact",
    "found_tags",
    "hurried",
    "jittered",
]
