"""What surrounds every request: its correlation ids, its record, its view of the switches, its closing headers.

This runs for every request, warm screens included, where it costs more than the cache does. So it stands around Flask
and not in its hooks: a header added to the finished list costs a tenth of one added to a response object, which checks
it, copies it and checks it again.
"""

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from flask import Flask, request

from shop.patterns.observability import correlation, request_record
from shop.patterns.observability.access_log import AccessRecorder
from shop.patterns.observability.metrics import ProcessMetrics
from shop.web.edge_headers import stale_if_error_redirect
from shop.web.fast_path import CachedResponseFastPath

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REFERRER = ("Referrer-Policy", "no-referrer")
S = TypeVar("S")
Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None

_SERVICES = "shop.services"
_NO_REFERRER = "shop.no_referrer"
"""Set where what the answer leads to must not learn its address."""
_REQUEST = "werkzeug.request"
"""Where werkzeug leaves the request in its environment."""
_ROUTE = "shop.route"
"""Set where Flask, which knows the route, was not asked."""


class MiddlewareServices(Protocol):
    """What the services of a request must carry for it to be surrounded."""

    @property
    def access_log(self) -> AccessRecorder:
        """Return where the line of the request goes."""

    @property
    def fast_path(self) -> CachedResponseFastPath:
        """Return what may answer it at once."""


class RequestMiddleware:
    """Surrounds every request that ``inner`` answers.

    Args:
        inner: the application.
        resolve: returns the services for the switches as they stand now; called once a request.
        metrics: counts each request.
        headers: sent with every answer.
        is_ours: tells whether a ``Host`` is the store's.
        show_timings: whether ``Server-Timing`` is sent (the lab profile).
    """

    def __init__(
        self,
        inner: "WSGIApplication",
        resolve: Callable[[], MiddlewareServices],
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
        self._unreferred = (*(one for one in headers if one[0] != _REFERRER[0]), _REFERRER)
        self._is_ours = is_ours
        self._show_timings = show_timings

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        self._metrics.in_flight.inc()
        try:
            return self._answer(environ, start_response)
        finally:
            self._metrics.in_flight.dec()

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        correlation.adopt(environ.get("HTTP_X_REQUEST_ID"), environ.get("HTTP_TRACEPARENT"))
        seen = request_record.begin()
        services = environ[_SERVICES] = self._resolve()

        def start(status: str, headers: Headers, exc_info: ExcInfo = None) -> Any:
            headers.extend(self._unreferred if _NO_REFERRER in environ else self._headers)
            headers.extend(self._closing(seen))
            headers.extend(stale_if_error_redirect(environ, int(status[:3])))
            self._tell(environ, int(status[:3]), seen, services)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        # For another host the application is asked, which refuses.
        answer = services.fast_path.answer(environ) if self._is_ours(environ.get("HTTP_HOST", "")) else None
        if answer is None:
            return self._inner(environ, start)
        environ[_ROUTE] = answer.route
        start(answer.status, answer.headers)
        return (answer.body,)

    def _closing(self, seen: request_record.RequestRecord) -> Headers:
        closing = [
            (correlation.REQUEST_ID_HEADER, correlation.request_id.get()),
            (correlation.TRACEPARENT_HEADER, correlation.traceparent.get()),
        ]
        if seen.cache:
            closing.append(("Cache-Status", ", ".join(seen.cache.values())))
        if self._show_timings:
            closing.append(("Server-Timing", server_timing(seen)))
        return closing

    def _tell(
        self, environ: "WSGIEnvironment", status: int, seen: request_record.RequestRecord, services: MiddlewareServices
    ) -> None:
        method, route = environ["REQUEST_METHOD"], _route(environ)
        services.access_log.answered(method, route, environ["PATH_INFO"], status, seen)
        self._metrics.observe_request(method, route, status, seen)


def install(
    app: Flask,
    resolve: Callable[[], MiddlewareServices],
    metrics: ProcessMetrics,
    headers: Sequence[tuple[str, str]],
    is_ours: Callable[[str], bool],
    *,
    show_timings: bool,
) -> None:
    """Surround every request of the app; arguments as :class:`Context`."""
    surrounded = RequestMiddleware(app.wsgi_app, resolve, metrics, headers, is_ours, show_timings=show_timings)
    app.wsgi_app = surrounded  # type: ignore[method-assign]  # the way Flask's manual has it


def services(kind: type[S]) -> S:
    """Return the services of the request being served; one snapshot of the switches from its start to its end."""
    return cast(S, request.environ[_SERVICES])


def suppress_referrer() -> None:
    """Let the browser tell nothing that the answer being made leads to, or loads, which address it came from."""
    request.environ[_NO_REFERRER] = True


def server_timing(seen: request_record.RequestRecord) -> str:
    """Write a record as a ``Server-Timing`` value, in milliseconds (W3C Server Timing)."""
    total = seen.elapsed_s
    render = max(0.0, total - seen.query_s - seen.cache_s)
    return (
        f'db;dur={seen.query_s * 1000:.2f};desc="{seen.queries} queries", cache;dur={seen.cache_s * 1000:.2f}, '
        f"render;dur={render * 1000:.2f}, total;dur={total * 1000:.2f}"
    )


def _route(environ: "WSGIEnvironment") -> str:
    """Return the template of the route that answered; empty where none matched."""
    if _ROUTE in environ:
        return str(environ[_ROUTE])
    asked = environ.get(_REQUEST)
    rule = asked.url_rule if asked is not None else None
    return rule.rule if rule is not None else ""
