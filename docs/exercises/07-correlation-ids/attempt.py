"""Exercise 07: correlation ids. Complete `correlated`, then run `bin/shop exercise check 7`."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def correlated(app: WsgiApplication, current_id: ContextVar[str], log: Callable[[str], None]) -> WsgiApplication:
    """Return middleware around a WSGI application: every request has an id.

    Args:
        app: the application inside.
        current_id: holds the id of the request in work; log lines and outgoing calls read it there.
        log: writes one line of text.
    """

    def middleware(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return app(environ, start_response)  # the request has no id yet

    return middleware
