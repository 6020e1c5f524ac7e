"""What the cache says, turned into the record of the request, into figures and, when it goes away, into a log line."""

import logging

from shop.patterns.caching.events import Answered, CameBack, Event, WentAway
from shop.patterns.observability import record
from shop.patterns.observability.metrics import Metrics

_log = logging.getLogger("shop.cache")


class CacheTelemetry:
    """Subscribes to a cache and its levels.

    Args:
        metrics: counts every look-up and every outage.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def __call__(self, event: Event) -> None:
        """Note one event."""
        if isinstance(event, Answered):
            record.cache_answered(cache_status(event), event.seconds)
            self._metrics.cache_answered(event)
            if event.away:
                record.degraded(event.level)
        elif isinstance(event, WentAway):
            self._metrics.cache_went_away(event.level)
            _log.warning("cache_away", extra={"layer": event.level, "reason": event.reason, "pause_s": event.pause_s})
        elif isinstance(event, CameBack):
            _log.warning("cache_back", extra={"layer": event.level})


def cache_status(event: Answered) -> str:
    """Write a look-up as an entry of ``Cache-Status`` (RFC 9211)."""
    if event.outcome == "hit":
        return f"{event.level}; hit; ttl={event.ttl_s}"
    stored = "; stored" if event.stored else ""
    return f"{event.level}; fwd={event.outcome}{stored}"
