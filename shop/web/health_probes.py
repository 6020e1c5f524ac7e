"""``/livez`` and ``/readyz``, in front of everything else.

They are answered before Flask sees the request: no context, no log line, no limit that might shed them. A probe that
competes with the shoppers fails exactly when the process is busy, and being busy is no reason to be killed. That is why
gunicorn's worker has threads of their own for them (``shop/web/probe_worker.py``).
"""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from shop.patterns.health.readiness import ReadinessCheck
from shop.web.http_caching import NO_STORE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = [("Content-Type", "application/json"), ("Cache-Control", NO_STORE)]


class HealthProbeMiddleware:
    """Answers the two probes and passes everything else on.

    Args:
        inner: the application.
        readiness: what ``/readyz`` asks.
    """

    def __init__(self, inner: "WSGIApplication", readiness: ReadinessCheck) -> None:
        self._inner = inner
        self._answers: dict[str, Callable[[], tuple[str, object]]] = {
            "/livez": lambda: ("200 OK", {"status": "alive"}),
            "/readyz": lambda: _readyz(readiness),
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        answer = self._answers.get(environ["PATH_INFO"])
        if answer is None:
            return self._inner(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [*HEADERS, ("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return [b""]
        status, document = answer()
        body = json.dumps(document).encode()
        start_response(status, [*HEADERS, ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def _readyz(readiness: ReadinessCheck) -> tuple[str, object]:
    report = readiness.latest()
    return ("200 OK" if report.ready else "503 Service Unavailable"), report.to_json()
