"""Cache metrics, and the subscriber that turns a cache's events into metrics, the request's record and log lines.

A metric is labelled by layer and time-to-live class, and never by key. A class is one of a handful, a layer one of
three, an outcome one of a list: the number of series is bounded whatever clients request.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shop.patterns.caching.events import (
    CopiesEvicted,
    EntryStored,
    Event,
    FillAwaited,
    InvalidationsUndelivered,
    InvalidationUnheard,
    LevelDown,
    LevelUp,
    LoadFinished,
    LocalSize,
    LockLost,
    LookupFinished,
    PeekMissed,
    RefillFailed,
    RefreshDropped,
    StaleFillRejected,
    TooLarge,
    WrongType,
)
from shop.patterns.observability import metric_names, request_record

LOAD_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""From one small query to the statement timeout."""
SERVED_STALE = "hit-stale"
ANOMALIES: Mapping[type, str] = MappingProxyType(
    {
        TooLarge: "too-large",
        InvalidationUnheard: "unheard",
        StaleFillRejected: "late-fill",
        LockLost: "lock-lost",
        RefreshDropped: "refresh-dropped",
        RefillFailed: "refill-failed",
    }
)
"""Event type to the metric's ``kind``."""

_log = logging.getLogger("shop.cache")


class CacheMetrics:
    """The cache metrics of one process.

    Args:
        registry: exposes them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, description: str, labels: list[str]) -> Counter:
            return Counter(name, description, labels, registry=registry)

        self._lookups = counter(metric_names.CACHE_LOOKUPS, "Cache look-ups.", ["layer", "ttl_class", "outcome"])
        self._loads = counter(metric_names.CACHE_LOADS, "Loader calls.", ["ttl_class", "why", "outcome"])
        self._load_duration = Histogram(
            metric_names.CACHE_LOAD_DURATION,
            "Duration of loader calls.",
            ["ttl_class"],
            buckets=LOAD_BUCKETS_S,
            registry=registry,
        )
        self._wait_duration = Histogram(
            metric_names.CACHE_WAIT_DURATION,
            "Time look-ups waited for the load of another request.",
            ["on", "ended"],
            buckets=LOAD_BUCKETS_S,
            registry=registry,
        )
        self._stored = counter(
            metric_names.CACHE_STORED_BYTES, "Bytes written to the shared level.", ["layer", "ttl_class"]
        )
        self._evictions = counter(metric_names.CACHE_EVICTIONS, "Entries evicted to make room.", ["layer"])
        self._evicted = counter(metric_names.CACHE_EVICTED_BYTES, "Bytes of evicted entries.", ["layer"])
        self._anomalies = counter(
            metric_names.CACHE_ANOMALIES,
            "Anomalies: values too large, late fills, lost locks, dropped refreshes, keys of the wrong type.",
            ["kind"],
        )
        self._outages = counter(metric_names.CACHE_OUTAGES, "Outages: the cache did not answer.", ["layer"])
        self._down = Gauge(
            metric_names.CACHE_DOWN,
            "Whether a process leaves the cache alone since it did not answer.",
            ["layer"],
            multiprocess_mode="liveall",
            registry=registry,
        )
        self._held = Gauge(
            metric_names.CACHE_HELD_BYTES,
            "Bytes of local entries in this server's processes.",
            ["layer"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._lookup_counters: dict[tuple[str, str, str], Counter] = {}

    def observe_lookup(self, event: LookupFinished) -> None:
        """Count one look-up. Every hit calls this."""
        outcome = SERVED_STALE if event.outcome == "hit" and event.detail.startswith("stale") else event.outcome
        key = (event.level, event.policy, outcome)
        counter = self._lookup_counters.get(key)
        if counter is None:  # labels() takes a lock and checks its arguments: do it once a combination
            counter = self._lookup_counters[key] = self._lookups.labels(*key)
        counter.inc()

    def add_lookups(self, layer: str, ttl_class: str, outcome: str, count: int) -> None:
        """Add look-ups of another program, such as nginx."""
        self._lookups.labels(layer, ttl_class, outcome).inc(count)

    def observe(self, event: Event) -> None:
        """Count any other event; ignore events that are only logged."""
        match event:
            case LoadFinished():
                self._loads.labels(event.policy, event.why, event.outcome).inc()
                self._load_duration.labels(event.policy).observe(event.seconds)
            case EntryStored():
                self._stored.labels(event.level, event.policy).inc(event.bytes)
            case LocalSize():
                self._held.labels(event.level).set(event.bytes)
            case FillAwaited():
                self._wait_duration.labels(event.on, event.ended).observe(event.seconds)
            case CopiesEvicted():
                self._evictions.labels(event.level).inc(event.copies)
                self._evicted.labels(event.level).inc(event.bytes)
            case LevelDown():
                self._outages.labels(event.level).inc()
                self._down.labels(event.level).set(1)
            case LevelUp():
                self._down.labels(event.level).set(0)
            case WrongType():
                self._anomalies.labels("wrong-type").inc(event.keys)
            case _ if (kind := ANOMALIES.get(type(event))) is not None:
                self._anomalies.labels(kind).inc()


class CacheTelemetry:
    """Subscriber of a cache and its levels.

    Args:
        metrics: counts look-ups, loads, anomalies and outages.
    """

    def __init__(self, metrics: CacheMetrics) -> None:
        self._metrics = metrics

    def __call__(self, event: Event) -> None:
        """Handle one event."""
        if isinstance(event, LookupFinished):
            request_record.record_cache_lookup(event.level, cache_status(event), event.seconds)
            self._metrics.observe_lookup(event)
            if event.level_down:
                request_record.mark_degraded(event.level)
            if event.detail.startswith("stale"):
                request_record.mark_stale()
            if event.detail == "stale-if-error":
                request_record.mark_degraded("fresh-data")
            return
        if isinstance(event, PeekMissed):
            request_record.add_cache_time(event.seconds)
            return
        self._metrics.observe(event)
        _log_event(event)


def _log_event(event: Event) -> None:
    """Log an outage, its end, and each event that may need an operator."""
    match event:
        case LevelDown():
            _log.warning("cache_away", extra={"layer": event.level, "reason": event.reason, "pause_s": event.pause_s})
        case LevelUp():
            _log.warning("cache_back", extra={"layer": event.level})
        case InvalidationsUndelivered():
            _log.warning("invalidations_lost", extra={"layer": event.level, "tags": list(event.tags)})
        case LoadFinished() if event.outcome == "failed":
            _log.warning("load_failed", extra={"ttl_class": event.policy, "why": event.why})
        case TooLarge():
            _log.warning("value_too_large", extra={"ttl_class": event.policy, "bytes": event.bytes})
        case WrongType():
            _log.warning("cache_keys_of_wrong_type", extra={"layer": event.level, "keys": event.keys})


def cache_status(event: LookupFinished) -> str:
    """Return a look-up as an entry of ``Cache-Status`` (RFC 9211).

    There, ``hit`` and ``fwd`` exclude each other: a hit is a response without a request to the next layer. A stale
    value is a hit with a negative ``ttl`` if no load was attempted for this request: during another request's load, or
    while the key backs off after a failed load. It is ``fwd=stale`` if the load was attempted and failed. A look-up
    that waited for the load of another request is ``collapsed``.
    """
    detail = f"; detail={event.detail}" if event.detail else ""
    if event.outcome == "hit":
        return f"{event.level}; hit; ttl={event.ttl_s}{detail}"
    ttl = f"; ttl={event.ttl_s}" if event.ttl_s else ""
    stored = "; stored" if event.stored else ""
    collapsed = "; collapsed" if event.collapsed else ""
    return f"{event.level}; fwd={event.outcome}{ttl}{stored}{collapsed}{detail}"
