"""What surrounds every request: its correlation ids, its record, its view of the switches, its closing headers.

This runs for every request, warm screens included, so it does little and does it once: what it costs is a good part
of what a cache hit costs.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from flask import Flask, Response, g, request

from shop.patterns.observability import correlation, record
from shop.patterns.observability.access import AccessLog
from shop.patterns.observability.metrics import Metrics

S = TypeVar("S")


class Telling(Protocol):
    """What the services of a request must carry for its end to be told."""

    @property
    def access_log(self) -> AccessLog:
        """Return where the line of the request goes."""


def install(app: Flask, resolve: Callable[[], Telling], metrics: Metrics, *, show_timings: bool) -> None:
    """Surround every request of the app.

    Args:
        app: the application.
        resolve: returns the services for the switches as they stand now; called once a request.
        metrics: counts each request.
        show_timings: whether ``Server-Timing`` is sent (the lab profile).
    """

    def begin() -> None:
        environ = request.environ
        correlation.adopt(environ.get("HTTP_X_REQUEST_ID"), environ.get("HTTP_TRACEPARENT"))
        g.record = record.begin()
        g.services = resolve()

    def finish(response: Response) -> Response:
        seen: record.RequestRecord = g.record
        closing = [
            (correlation.REQUEST_ID_HEADER, correlation.request_id.get()),
            (correlation.TRACEPARENT_HEADER, correlation.traceparent.get()),
        ]
        if seen.cache:
            closing.append(("Cache-Status", ", ".join(seen.cache)))
        if show_timings:
            closing.append(("Server-Timing", server_timing(seen)))
        response.headers.extend(closing)
        rule = request.url_rule
        route = rule.rule if rule is not None else ""
        services: Telling = g.services
        services.access_log.answered(request.method, route, request.path, response.status_code, seen)
        metrics.request_answered(request.method, route, response.status_code, seen)
        return response

    app.before_request(begin)
    app.after_request(finish)


def services(kind: type[S]) -> S:
    """Return the services of the request being served; one snapshot of the switches from its start to its end."""
    return cast(S, g.services)


def server_timing(seen: record.RequestRecord) -> str:
    """Write a record as a ``Server-Timing`` value, in milliseconds (W3C Server Timing)."""
    total = seen.elapsed_s
    render = max(0.0, total - seen.query_s - seen.cache_s)
    return (
        f'db;dur={seen.query_s * 1000:.2f};desc="{seen.queries} queries", cache;dur={seen.cache_s * 1000:.2f}, '
        f"render;dur={render * 1000:.2f}, total;dur={total * 1000:.2f}"
    )
