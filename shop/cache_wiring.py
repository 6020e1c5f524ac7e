"""The cache's own corner of the composition root: its switches in, one cache out.

A :class:`CacheRuntime` holds what all graphs of a process share: copies, flights, counts and threads must be the same
however the switches stand, or a flip would lose an invalidation.
"""

import contextvars
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from shop.clock import Clock
from shop.errors import DeadlinePassed, NotFound, ProductRenamed, ProductWithdrawn, ServiceUnavailable, ShopError
from shop.patterns.caching import (
    Cache,
    CacheClient,
    CacheLevel,
    EarlyExpiry,
    FailureBackoff,
    HitCounter,
    InvalidationBarrier,
    InvalidationListener,
    LoadOptions,
    LocalLevel,
    LockedEarly,
    LockedLoad,
    NoProtection,
    NullLevel,
    OnEvent,
    RefreshAhead,
    RefreshWorker,
    SharedLevel,
    StampedeState,
    SwitchedOff,
    SwitchedOffLocal,
    TimeOnly,
    WriteThrough,
    exact,
    hurried,
    jittered,
)
from shop.patterns.caching.cache import Guarding
from shop.patterns.caching.jitter import SHARE, Lifetime
from shop.patterns.observability import request_record
from shop.patterns.observability.cache_metrics import CacheTelemetry
from shop.settings import Settings
from shop.switches import parameters
from shop.switches.registry import SwitchSnapshot

BYTES_A_MB = 1024 * 1024
FAILED = "The store cannot look this up at the moment."
"""Said where a load failed that another process had begun."""
ABSENCES = (NotFound, ProductRenamed, ProductWithdrawn)
"""What is remembered of what is not there. Their order stands in stored entries: add at the end."""


@dataclass
class CacheRuntime:
    """What the caches of one process share. Build it after a fork, never before."""

    clock: Clock
    telemetry: CacheTelemetry
    shared: CacheLevel
    local: LocalLevel
    meeting: StampedeState
    listener: InvalidationListener | None
    popularity: HitCounter
    throttle: FailureBackoff
    barrier: InvalidationBarrier | None
    refresher: RefreshWorker = field(default_factory=lambda: RefreshWorker(_aside))

    def start(self) -> None:
        """Start the background threads."""
        self.refresher.start()
        if self.listener is not None:
            self.listener.start()

    def thread_faults(self) -> dict[str, str]:
        """Return each background thread's name and what is wrong with it; empty text where nothing is."""
        listener = "" if self.listener is None else self.listener.fault
        return {"refresh-ahead": self.refresher.fault, "invalidations": listener}

    def close(self) -> None:
        """Stop the threads and give back every connection."""
        self.refresher.stop()
        if self.listener is not None:
            self.listener.stop()
        self.shared.close()
        if self.barrier is not None:
            self.barrier.close()

    def compose(self, switches: SwitchSnapshot) -> CacheClient:
        """Return the cache for one way the switches can stand."""
        cache = Cache(
            self.shared if switches["cache.shared"] == "on" else SwitchedOff(self.shared),
            self.clock,
            self.telemetry,
            self.local if switches["cache.local"] == "on" else SwitchedOffLocal(self.local),
            LoadOptions(
                lifetime=_lifetime(switches),
                absent=ABSENCES if switches["cache.negative"] == "on" else None,
                refusal=is_refusal,
                forgiving=switches["cache.stale_if_error"] == "on",
                own=lambda error: isinstance(error, DeadlinePassed),
                failure=lambda: ServiceUnavailable(FAILED),
                longest=(1 + SHARE)
                * max(1.0, parameters.current_value(dict(switches.parameters), parameters.TTL_SCALE)),
            ),
            self._guarding(switches["cache.stampede"]),
            self.throttle,
        )
        writing: dict[str, Callable[[], CacheClient]] = {
            "event": lambda: OnEvent(cache, self.barrier, self.telemetry),
            "write-through": lambda: WriteThrough(cache, self.barrier, self.telemetry),
            "ttl": lambda: TimeOnly(cache),
        }
        return writing[switches["cache.invalidation"]]()

    def _guarding(self, strategy: str) -> Guarding:
        strategies: dict[str, Guarding] = {
            "lock+early": partial(LockedEarly, meeting=self.meeting),
            "lock": partial(LockedLoad, meeting=self.meeting),
            "early": EarlyExpiry,
            "refresh-ahead": partial(
                RefreshAhead, meeting=self.meeting, popularity=self.popularity, refresher=self.refresher
            ),
            "none": NoProtection,
        }
        return strategies[strategy]


def build(settings: Settings, clock: Clock, telemetry: CacheTelemetry) -> CacheRuntime:
    """Build a process's cache runtime; nothing is connected yet and no thread runs."""
    local = LocalLevel(settings.cache_local_mb * BYTES_A_MB, clock, telemetry)
    meeting = StampedeState()
    shared: CacheLevel = NullLevel()
    listener = barrier = None
    if settings.cache_url is not None:
        shared = level = SharedLevel(settings.cache_url, settings.cache_timeout_ms, clock, telemetry)
        listener = InvalidationListener(settings.cache_url, local, telemetry, meeting.waiting, level)
        barrier = InvalidationBarrier(settings.cache_url)
    return CacheRuntime(
        clock, telemetry, shared, local, meeting, listener, HitCounter(clock), FailureBackoff(clock), barrier
    )


def is_refusal(error: Exception) -> bool:
    """Tell whether a loader's error is an answer to the shopper; that the database is away is none."""
    return isinstance(error, ShopError) and not isinstance(error, ServiceUnavailable)


def _lifetime(switches: SwitchSnapshot) -> Lifetime:
    lifetime = jittered(random.random) if switches["cache.jitter"] == "on" else exact
    return hurried(lifetime, parameters.current_value(dict(switches.parameters), parameters.TTL_SCALE))


def _aside(context: contextvars.Context, work: Callable[[], object]) -> None:
    """Run a background load in its request's context, but book its queries to nobody's request."""
    context.run(request_record.without_record, work)
