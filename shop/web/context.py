"""What surrounds every request: its correlation ids, its record, its view of the switches, its closing headers."""

import logging
from collections.abc import Callable
from typing import TypeVar, cast

from flask import Flask, Response, g, request

from shop.patterns.observability import correlation, record

S = TypeVar("S")

_access = logging.getLogger("shop.access")


def install(app: Flask, resolve: Callable[[], object], *, show_timings: bool) -> None:
    """Surround every request of the app.

    Args:
        app: the application.
        resolve: returns the services for the switches as they stand now; called once a request.
        show_timings: whether ``Server-Timing`` is sent (the lab profile).
    """

    def begin() -> None:
        correlation.adopt(
            request.headers.get(correlation.REQUEST_ID_HEADER), request.headers.get(correlation.TRACEPARENT_HEADER)
        )
        g.record = record.begin()
        g.services = resolve()

    def finish(response: Response) -> Response:
        seen: record.RequestRecord = g.record
        headers = response.headers
        headers[correlation.REQUEST_ID_HEADER] = correlation.request_id.get()
        headers[correlation.TRACEPARENT_HEADER] = correlation.traceparent.get()
        if seen.cache:
            headers["Cache-Status"] = ", ".join(seen.cache)
        if show_timings:
            headers["Server-Timing"] = server_timing(seen)
        _access.info("request", extra={"response": response, "record": seen})
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
