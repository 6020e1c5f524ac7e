"""The access log: one line for each request, with its outcome and its cost.

A line is written for every request, so it is one dictionary and one ``write``; Python's logging would cost three times
as much. The line has the path without the query, because a query may contain secrets.
"""

from typing import Protocol

from shop.clock import Clock
from shop.patterns.observability.json_lines import JsonLinesFile
from shop.patterns.observability.logs import correlation_fields, timestamp
from shop.patterns.observability.request_record import USE, RequestRecord


class AccessRecorder(Protocol):
    """Records each request."""

    def record_request(self, method: str, route: str, path: str, status: int, record: RequestRecord) -> None:
        """Record one request.

        Args:
            method: the HTTP method.
            route: the route's template, or an empty string if no route matched.
            path: without the query.
            status: HTTP status.
            record: the cost of the request.
        """


class JsonAccessLog:
    """Writes one JSON line for each request.

    Args:
        lines: the file.
        clock: makes the timestamp.
    """

    def __init__(self, lines: JsonLinesFile, clock: Clock) -> None:
        self._lines = lines
        self._clock = clock

    def record_request(self, method: str, route: str, path: str, status: int, record: RequestRecord) -> None:
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
                **({} if record.purpose == USE else {"purpose": record.purpose}),
            }
        )


class NoAccessLog:
    """The variant without an access log."""

    def record_request(self, method: str, route: str, path: str, status: int, record: RequestRecord) -> None:
        """Do nothing."""
