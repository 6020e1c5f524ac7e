"""The live figures over HTTP: ``/lab/live``, answered by WSGI middleware before the application.

A viewer must not count itself: its polls make no line in a log, no count in a metric, no query. The edge logs no line
for this address either (``deploy/nginx``). And a poll must be cheap, as thirty viewers send thirty a second: the edge
gives all of them the answer of the current second (micro-caching), and asks for it once.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from shop.lab_console.live_snapshot import LiveSnapshot
from shop.web.http_caching import NO_STORE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/lab/live"
HISTORY = "history"
"""The query for all points of the last minute; without it the answer has the newest one."""


class LiveFiguresMiddleware:
    """Answers the polls for live figures and passes all other requests on.

    Args:
        inner: the application; it also refuses a poll with a method other than GET, or for another host.
        snapshot: the figures.
        is_ours: tells whether a ``Host`` is the store's.
        headers: sent with every response.
    """

    def __init__(
        self,
        inner: "WSGIApplication",
        snapshot: LiveSnapshot,
        is_ours: Callable[[str], bool],
        headers: Sequence[tuple[str, str]],
    ) -> None:
        self._inner = inner
        self._snapshot = snapshot
        self._is_ours = is_ours
        self._headers = [("Content-Type", "application/json"), ("Cache-Control", NO_STORE), *headers]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        is_poll = environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "GET"
        if not is_poll or not self._is_ours(environ.get("HTTP_HOST", "")):
            return self._inner(environ, start_response)
        is_history = environ.get("QUERY_STRING") == HISTORY
        body = self._snapshot.history() if is_history else self._snapshot.newest()
        until = ("X-Accel-Expires", f"@{int(time.time())}")
        start_response("200 OK", [*self._headers, until, ("Content-Length", str(len(body)))])
        return [body]
