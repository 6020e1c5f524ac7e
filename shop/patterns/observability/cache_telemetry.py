"""What the cache says, turned into the record of the request, into figures and, when it goes away, into a log line."""

import logging

from shop.patterns.caching.events import (
    CameBack,
    Event,
    LoadFinished,
    LookedInVain,
    LookupFinished,
    NeverDelivered,
    TooLarge,
    WentAway,
    WrongType,
)
from shop.patterns.observability import request_record
from shop.patterns.observability.metrics import ProcessMetrics

_log = logging.getLogger("shop.cache")


class CacheTelemetry:
    """Subscribes to a cache and its levels.

    Args:
        metrics: counts every look-up and every outage.
    """

    def __init__(self, metrics: ProcessMetrics) -> None:
        self._metrics = metrics

    def __call__(self, event: Event) -> None:
        """Note one event."""
        if isinstance(event, LookupFinished):
            request_record.cache_answered(event.level, cache_status(event), event.seconds)
            self._metrics.cache.answered(event)
            if event.away:
                request_record.degraded(event.level)
            if event.detail == "stale-if-error":
                request_record.degraded("fresh-data")
            return
        if isinstance(event, LookedInVain):
            request_record.cache_took(event.seconds)
            return
        self._metrics.cache.note(event)
        if isinstance(event, WentAway):
            _log.warning("cache_away", extra={"layer": event.level, "reason": event.reason, "pause_s": event.pause_s})
        elif isinstance(event, CameBack):
            _log.warning("cache_back", extra={"layer": event.level})
        elif isinstance(event, NeverDelivered):
            _log.warning("invalidations_lost", extra={"layer": event.level, "tags": list(event.tags)})
        elif isinstance(event, LoadFinished) and event.outcome == "failed":
            _log.warning("load_failed", extra={"ttl_class": event.policy, "why": event.why})
        elif isinstance(event, TooLarge):
            _log.warning("value_too_large", extra={"ttl_class": event.policy, "bytes": event.bytes})
        elif isinstance(event, WrongType):
            _log.warning("cache_keys_of_wrong_type", extra={"layer": event.level, "keys": event.keys})


def cache_status(event: LookupFinished) -> str:
    """Write a look-up as an entry of ``Cache-Status`` (RFC 9211).

    ``hit`` and ``fwd`` exclude each other there: a hit is what was answered without asking further. So a stale value
    served while another loads is a hit, of a negative ``ttl``; the same value served because the load failed was
    ``fwd=stale``, since the loader was asked. Who waited for another's load went forward ``collapsed`` with it.
    """
    detail = f"; detail={event.detail}" if event.detail else ""
    if event.outcome == "hit":
        return f"{event.level}; hit; ttl={event.ttl_s}{detail}"
    ttl = f"; ttl={event.ttl_s}" if event.ttl_s else ""
    stored = "; stored" if event.stored else ""
    collapsed = "; collapsed" if event.collapsed else ""
    return f"{event.level}; fwd={event.outcome}{ttl}{stored}{collapsed}{detail}"
