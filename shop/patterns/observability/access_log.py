"""The line a request: what was asked, how it was answered, what it cost.

It is written for every request, so it goes the short way: one dictionary, one ``write``, past the logging machinery
(which would cost three times as much). It holds the path without its query: people paste secrets into URLs.
"""

from typing import Protocol

from shop.clock import Clock
from shop.patterns.observability.json_lines import JsonLinesFile
from shop.patterns.observability.logs import correlation_fields, timestamp
from shop.patterns.observability.request_record import RequestRecord


class AccessRecorder(Protocol):
    """Told of each answered request."""

    def answered(self, method: str, route: str, path: str, status: int, record: RequestRecord) -> None:
        """Note one request.

        Args:
            method: as asked.
            route: the route's template, or an empty string where none matched.
            path: without the query.
            status: HTTP status.
            record: what it cost.
        """


class JsonAccessLog:
    """Writes one JSON line a request.

    Args:
        lines: where to.
        clock: tells when.
    """

    def __init__(self, lines: JsonLinesFile, clock: Clock) -> None:
        self._lines = lines
        self._clock = clock

    def answered(self, method: str, route: str, path: str, status: int, record: RequestRecord) -> None:
        """Write the line of one request."""
        self._lines.write(
            {
                "ts": timestamp(self._clock.now()),
                "level": "error" if status >= 500 else "info",
                "event": "request",
                **correlation_fields(),
                "method": method,
                "route": route,
                "path": path,
                "status": status,
                "duration_ms": round(record.elapsed_s * 1000, 2),
                "queries": record.queries,
                "cache": list(record.cache.values()),
                "degraded": record.degraded,
            }
        )


class NoAccessLog:
    """Writes nothing."""

    def answered(self, method: str, route: str, path: str, status: int, record: RequestRecord) -> None:
        """Note nothing."""
