"""WSGI middleware around every request: correlation ids, request record, services, closing headers.

It runs for every request. On a warm page it costs more than the cache does. So it is WSGI middleware and no Flask hook:
a header that is appended to the final list costs a tenth of one that is added to a Flask response, which checks the
header, copies it and checks it again.
"""

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from shop.patterns.observability import correlation, request_record
from shop.patterns.observability.metrics import ProcessMetrics
from shop.web.edge_headers import stale_if_error_redirect
from shop.web.prefetch import request_purpose
from shop.web.request_services import SERVICES_KEY, RequestServices

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REFERRER = ("Referrer-Policy", "no-referrer")
Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None

_NO_REFERRER = "shop.no_referrer"
"""Set by :func:`suppress_referrer`."""
_REQUEST = "werkzeug.request"
"""Key of the Flask request in the WSGI environment."""
_ROUTE = "shop.route"
"""Set for a response of the fast path, which does not go through Flask's routing."""


class RequestMiddleware:
    """WSGI middleware around the Flask application.

    Args:
        inner: the application.
        resolve: returns the services for the current snapshot of the switches; called once per request.
        metrics: counts each request.
        headers: sent with every response.
        is_ours: tells whether a ``Host`` is the store's.
        show_timings: whether ``Server-Timing`` is sent (the lab profile).
    """

    def __init__(
        self,
        inner: "WSGIApplication",
        resolve: Callable[[], RequestServices],
        metrics: ProcessMetrics,
        headers: Sequence[tuple[str, str]],
        is_ours: Callable[[str], bool],
        *,
        show_timings: bool,
    ) -> None:
        self._inner = inner
        self._resolve = resolve
        self._metrics = metrics
        self._headers = tuple(headers)
        self._no_referrer_headers = (*(header for header in headers if header[0] != _REFERRER[0]), _REFERRER)
        self._is_ours = is_ours
        self._show_timings = show_timings

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        self._metrics.in_flight.inc()
        try:
            services = environ[SERVICES_KEY] = self._resolve()
            services.adopt_ids(environ.get("HTTP_X_REQUEST_ID"), environ.get("HTTP_TRACEPARENT"))
            record = request_record.begin(request_purpose(environ))

            def start(status: str, headers: Headers, exc_info: ExcInfo = None) -> Any:
                self._close_record(environ, int(status[:3]), headers, record, services)
                return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

            # A request for another host goes to the application, which refuses it.
            cached = services.fast_path.answer(environ) if self._is_ours(environ.get("HTTP_HOST", "")) else None
            if cached is None:
                return self._inner(environ, start)
            environ[_ROUTE] = cached.route
            start(cached.status, cached.headers)
            return (cached.body,)
        finally:
            self._metrics.in_flight.dec()

    def _close_record(
        self,
        environ: "WSGIEnvironment",
        status: int,
        headers: Headers,
        record: request_record.RequestRecord,
        services: RequestServices,
    ) -> None:
        """Append the closing headers to a response, and report its request to the access log and the metrics."""
        headers.extend(self._no_referrer_headers if _NO_REFERRER in environ else self._headers)
        headers.append((correlation.REQUEST_ID_HEADER, correlation.request_id.get()))
        headers.append((correlation.TRACEPARENT_HEADER, correlation.traceparent.get()))
        if record.cache:
            headers.append(("Cache-Status", ", ".join(record.cache.values())))
        if self._show_timings:
            headers.append(("Server-Timing", server_timing(record)))
        headers.extend(stale_if_error_redirect(environ, status))
        method, route = environ["REQUEST_METHOD"], route_template(environ)
        services.access_log.record_request(method, route, environ["PATH_INFO"], status, record)
        self._metrics.observe_request(method, route, status, record)


def install(
    app: Flask,
    resolve: Callable[[], RequestServices],
    metrics: ProcessMetrics,
    headers: Sequence[tuple[str, str]],
    is_ours: Callable[[str], bool],
    *,
    show_timings: bool,
) -> None:
    """Put the middleware around the app; arguments as :class:`RequestMiddleware`."""
    middleware = RequestMiddleware(app.wsgi_app, resolve, metrics, headers, is_ours, show_timings=show_timings)
    app.wsgi_app = middleware  # type: ignore[method-assign]  # as Flask's manual does it


def suppress_referrer() -> None:
    """Send ``Referrer-Policy: no-referrer``: the browser tells the URL of this response to no page it leads to."""
    request.environ[_NO_REFERRER] = True


def server_timing(record: request_record.RequestRecord) -> str:
    """Return a request record as a ``Server-Timing`` value, in milliseconds (W3C Server Timing)."""
    total = record.elapsed_s
    render = max(0.0, total - record.query_s - record.cache_s)
    noun = "query" if record.queries == 1 else "queries"
    return (
        f'db;dur={record.query_s * 1000:.2f};desc="{record.queries} {noun}", cache;dur={record.cache_s * 1000:.2f}, '
        f"render;dur={render * 1000:.2f}, total;dur={total * 1000:.2f}"
    )


def route_template(environ: "WSGIEnvironment") -> str:
    """Return the template of the matched route; empty if no route matched."""
    if _ROUTE in environ:
        return str(environ[_ROUTE])
    flask_request = environ.get(_REQUEST)
    rule = flask_request.url_rule if flask_request is not None else None
    return rule.rule if rule is not None else ""
