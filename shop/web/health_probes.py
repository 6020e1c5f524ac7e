"""Health probes: ``/livez`` and ``/readyz``, answered by WSGI middleware before the application.

The middleware answers them before Flask sees the request: no context, no log line, and no limit that could shed them.
A probe that waits after the shoppers' requests fails exactly when the process is busy, and a busy process must not be
killed. For the same reason gunicorn's worker has separate threads for probes (``shop/web/probe_worker.py``).
"""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from shop.patterns.health.readiness import HealthReport
from shop.web.http_caching import NO_STORE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = [("Content-Type", "application/json"), ("Cache-Control", NO_STORE)]


class ReadinessSource(Protocol):
    """Tells whether the process can serve."""

    def latest(self) -> HealthReport:
        """Return the last states of the dependencies."""


class HealthProbeMiddleware:
    """Answers the two probes and passes all other requests on.

    Args:
        inner: the application.
        readiness: checked by ``/readyz``.
    """

    def __init__(self, inner: "WSGIApplication", readiness: ReadinessSource) -> None:
        self._inner = inner

        def livez() -> tuple[str, object]:
            return "200 OK", {"status": "alive"}

        def readyz() -> tuple[str, object]:
            report = readiness.latest()
            return "200 OK" if report.ready else "503 Service Unavailable", report.to_json()

        self._probes: dict[str, Callable[[], tuple[str, object]]] = {"/livez": livez, "/readyz": readyz}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        probe = self._probes.get(environ["PATH_INFO"])
        if probe is None:
            return self._inner(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [*HEADERS, ("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return [b""]
        status, document = probe()
        body = json.dumps(document).encode()
        start_response(status, [*HEADERS, ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
