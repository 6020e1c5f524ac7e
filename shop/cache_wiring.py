"""The composition root of the cache: builds one cache client from the switches.

A :class:`CacheRuntime` holds the objects that all service graphs of a process share: local copies, loads in progress,
counters and threads must be the same for all switch values, or a switch change would lose an invalidation.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from shop.attempt_wiring import NO_ATTEMPTS, AttemptSeams
from shop.clock import Clock
from shop.errors import DeadlinePassed, NotFound, ProductRenamed, ProductWithdrawn, ServiceUnavailable, ShopError
from shop.patterns.caching import (
    JITTER_SHARE,
    Cache,
    CacheClient,
    CacheLevel,
    EarlyExpiry,
    EventInvalidation,
    FailureBackoff,
    HitCounter,
    InvalidateOnlyLevel,
    InvalidateOnlyLocal,
    InvalidationBarrier,
    InvalidationListener,
    LoadOptions,
    LocalLevel,
    LockedLoad,
    LockWithEarlyExpiry,
    MakeStrategy,
    NoProtection,
    NullLevel,
    RefreshAhead,
    RefreshWorker,
    SharedLevel,
    StampedeState,
    TtlOnly,
    WriteThrough,
    jittered,
    no_jitter,
    scaled,
)
from shop.patterns.observability import request_record
from shop.patterns.observability.cache_metrics import CacheTelemetry
from shop.settings import Settings
from shop.switches.parameters import TTL_SCALE
from shop.switches.registry import SwitchSnapshot

BYTES_A_MB = 1024 * 1024
LOAD_FAILED = "The store cannot look this up at the moment."
"""The message after a failed load in another process."""
NOT_FOUND_ERRORS = (NotFound, ProductRenamed, ProductWithdrawn)
"""The exceptions that are cached. Stored entries name them by their position: add new ones at the end."""


@dataclass
class CacheRuntime:
    """The objects that the caches of one process share. Build it after a fork, never before."""

    clock: Clock
    telemetry: CacheTelemetry
    shared: CacheLevel
    local: LocalLevel
    stampede_state: StampedeState
    listener: InvalidationListener | None
    hit_counter: HitCounter
    backoff: FailureBackoff
    barrier: InvalidationBarrier | None
    refresh_worker: RefreshWorker = field(
        default_factory=lambda: RefreshWorker(lambda context, load: context.run(request_record.without_record, load))
    )
    """Runs a load in the context of its request, but adds its queries to no request's record."""
    cache_url: str | None = None

    def start(self) -> None:
        """Start the background threads."""
        self.refresh_worker.start()
        if self.listener is not None:
            self.listener.start()

    def thread_faults(self) -> dict[str, str]:
        """Return the fault of each background thread by its name; empty text for no fault."""
        listener = "" if self.listener is None else self.listener.fault
        return {"refresh-ahead": self.refresh_worker.fault, "invalidations": listener}

    def close(self) -> None:
        """Stop the threads and close every connection."""
        self.refresh_worker.stop()
        if self.listener is not None:
            self.listener.stop()
        self.shared.close()
        if self.barrier is not None:
            self.barrier.close()

    def compose(self, switches: SwitchSnapshot, seams: AttemptSeams = NO_ATTEMPTS) -> CacheClient:
        """Return the cache client for these switch values, with the attempts of a reader in their places."""
        ttl_scale = switches.parameter(TTL_SCALE)
        put_negative_in_front = seams.choose(
            "cache.negative", unchanged, options=LoadOptions(not_found=NOT_FOUND_ERRORS)
        )
        has_negative = switches["cache.negative"] == "on" and put_negative_in_front is unchanged
        make_jitter = seams.choose("cache.jitter", jittered)
        lifetime = scaled(make_jitter(random.random) if switches["cache.jitter"] == "on" else no_jitter, ttl_scale)
        cache = Cache(
            self.shared if switches["cache.shared"] == "on" else InvalidateOnlyLevel(self.shared),
            self.clock,
            self.telemetry,
            self.local if switches["cache.local"] == "on" else InvalidateOnlyLocal(self.local),
            LoadOptions(
                lifetime=lifetime,
                not_found=NOT_FOUND_ERRORS if has_negative else None,
                is_expected_error=is_expected_error,
                stale_if_error=switches["cache.stale_if_error"] == "on",
                is_caller_error=lambda error: isinstance(error, DeadlinePassed),
                make_load_error=lambda: ServiceUnavailable(LOAD_FAILED),
                max_lifetime_factor=(1 + JITTER_SHARE) * max(1.0, ttl_scale),
            ),
            seams.choose("cache.stampede", self.strategy(switches["cache.stampede"]), cache_url=self.cache_url),
            self.backoff,
        )
        cache = seams.choose("cache.shared", cache, level=self.shared, lifetime=lifetime, emit=self.telemetry)
        clients: dict[str, Callable[[], CacheClient]] = {
            "event": lambda: EventInvalidation(cache, self.barrier, self.telemetry),
            "write-through": lambda: WriteThrough(cache, self.barrier, self.telemetry),
            "ttl": lambda: TtlOnly(cache),
        }
        client = clients[switches["cache.invalidation"]]()
        return put_negative_in_front(seams.choose("cache.invalidation", client, cache_url=self.cache_url))

    def strategy(self, name: str) -> MakeStrategy:
        """Return the stampede strategy of a value of ``cache.stampede``."""
        strategies: dict[str, MakeStrategy] = {
            "lock+early": partial(LockWithEarlyExpiry, state=self.stampede_state),
            "lock": partial(LockedLoad, state=self.stampede_state),
            "early": EarlyExpiry,
            "refresh-ahead": partial(
                RefreshAhead, state=self.stampede_state, hit_counter=self.hit_counter, worker=self.refresh_worker
            ),
            "none": NoProtection,
        }
        return strategies[name]


def build(settings: Settings, clock: Clock, telemetry: CacheTelemetry) -> CacheRuntime:
    """Build a process's cache runtime; it opens no connection and starts no thread yet."""
    local = LocalLevel(settings.cache_local_mb * BYTES_A_MB, clock, telemetry)
    state = StampedeState()
    shared: CacheLevel = NullLevel()
    listener = barrier = None
    if settings.cache_url is not None:
        shared = level = SharedLevel(settings.cache_url, settings.cache_timeout_ms, clock, telemetry)
        listener = InvalidationListener(settings.cache_url, local, telemetry, state.fill_waiters, level)
        barrier = InvalidationBarrier(settings.cache_url)
    return CacheRuntime(
        clock,
        telemetry,
        shared,
        local,
        state,
        listener,
        HitCounter(clock),
        FailureBackoff(clock),
        barrier,
        cache_url=settings.cache_url,
    )


def unchanged(client: CacheClient) -> CacheClient:
    """Return the client: nothing stands in front of it."""
    return client


def is_expected_error(error: Exception) -> bool:
    """Return whether a loader's error is an expected outcome for the shopper; an unavailable service is a failure."""
    return isinstance(error, ShopError) and not isinstance(error, ServiceUnavailable)
