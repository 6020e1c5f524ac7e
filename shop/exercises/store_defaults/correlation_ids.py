"""The store's request middleware in the form of the exercise ``correlation-ids``."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from shop.clock import SystemClock
from shop.patterns.observability import correlation
from shop.patterns.observability.access_log import JsonAccessLog
from shop.patterns.observability.json_lines import JsonLinesFile
from shop.patterns.observability.metrics import ProcessMetrics
from shop.web.request_middleware import RequestMiddleware
from shop.web.request_services import RequestServices

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True)
class TextLines:
    """Takes the place of the file of JSON lines.

    Args:
        log: writes one line of text.
    """

    log: Callable[[str], None]

    def write(self, fields: Mapping[str, object]) -> None:
        """Write one line."""
        self.log(json.dumps(fields))


class NoFastPath:
    """Finds no cached response."""

    def answer(self, environ: "WSGIEnvironment") -> None:
        """Find nothing."""


@dataclass(frozen=True)
class MiddlewareServices:
    """The services of a request that the middleware itself uses."""

    access_log: JsonAccessLog
    fast_path: NoFastPath
    adopt_ids: Callable[[str | None, str | None], None] = correlation.adopt


def correlated(app: "WSGIApplication", current_id: ContextVar[str], log: Callable[[str], None]) -> "WSGIApplication":
    """Return the store's middleware around an application.

    Args:
        app: the application inside.
        current_id: set to the store's own context variable when the application is called.
        log: writes one line of text.
    """

    def with_current_id(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        current_id.set(correlation.request_id.get())
        return app(environ, start_response)

    lines: Any = TextLines(log)
    services = MiddlewareServices(JsonAccessLog(cast(JsonLinesFile, lines), SystemClock()), NoFastPath())
    return RequestMiddleware(
        with_current_id,
        lambda: cast(RequestServices, services),
        ProcessMetrics(),
        headers=(),
        is_ours=lambda host: True,
        show_timings=False,
    )
