"""What the cache says, turned into the record of the request, into figures and, when it goes away, into a log line."""

import logging

from shop.patterns.caching.events import Answered, CameBack, Event, WentAway
from shop.patterns.observability import record

_log = logging.getLogger("shop.cache")


def cache_happened(event: Event) -> None:
    """Subscribe to a cache: note every look-up and every outage."""
    match event:
        case Answered():
            record.cache_answered(cache_status(event), event.seconds)
            if event.away:
                record.degraded(event.level)
        case WentAway():
            _log.warning("cache_away", extra={"level_name": event.level, "reason": event.reason})
        case CameBack():
            _log.warning("cache_back", extra={"level_name": event.level})


def cache_status(event: Answered) -> str:
    """Write a look-up as an entry of ``Cache-Status`` (RFC 9211)."""
    if event.outcome == "hit":
        return f"{event.level}; hit; ttl={event.ttl_s}"
    stored = "; stored" if event.stored else ""
    return f"{event.level}; fwd={event.outcome}{stored}"
