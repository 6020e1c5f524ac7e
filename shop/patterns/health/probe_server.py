"""The HTTP server with which a process without Flask answers probes and ``/metrics``, in threads of its own."""

import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from shop.errors import ConfigurationError

Answer = Callable[[str], tuple[int, bytes, str]]
"""Takes a path; returns status, body and media type."""


def probe_answers(faults: Callable[[], Mapping[str, str]], registry: CollectorRegistry) -> Answer:
    """Return the answers of a background process to ``/livez``, ``/readyz`` and ``/metrics``.

    Args:
        faults: returns the fault of each loop and thread by name; an empty text for a healthy one.
        registry: the process's metrics.
    """

    def answer(path: str) -> tuple[int, bytes, str]:
        match path:
            case "/metrics":
                return 200, generate_latest(registry), "text/plain; version=0.0.4"
            case "/readyz":
                loops = faults()
                body = json.dumps({"loops": loops}).encode()
                return 503 if any(loops.values()) else 200, body, "application/json"
            case "/livez":
                return 200, b"alive\n", "text/plain"
        return 404, b"", "text/plain"

    return answer


class _ServerV6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class _ProbeHandler(BaseHTTPRequestHandler):
    def __init__(self, answer: Answer, *connection: Any) -> None:
        self._answer = answer
        super().__init__(*connection)  # handles the request

    def do_GET(self) -> None:
        status, body, kind = self._answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log no probe."""


class ProbeServer:
    """Answers ``GET`` on one port of several addresses until it is stopped.

    Args:
        answer: makes each response; called in a thread of the request's own.
        hosts: the addresses to listen on.
        port: the port on each address; 0 for any free one, which differs between the addresses.

    Raises:
        ConfigurationError: the server cannot listen on one of the addresses.
    """

    def __init__(self, answer: Answer, hosts: Sequence[str], port: int) -> None:
        self._servers: list[ThreadingHTTPServer] = []
        for host in hosts:
            kind = _ServerV6 if ":" in host else ThreadingHTTPServer
            try:
                self._servers.append(kind((host, port), partial(_ProbeHandler, answer)))
            except OSError as error:
                for server in self._servers:
                    server.server_close()
                raise ConfigurationError(
                    f"Probes and /metrics cannot be answered on {host}:{port} ({error.strerror}):"
                    " choose another --port, or set SHOP_METRICS_HOST to an address of this machine."
                ) from None

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the port on each address."""
        return tuple(server.server_port for server in self._servers)

    def start(self) -> None:
        """Begin to answer, in daemon threads."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, name="probe", daemon=True).start()

    def stop(self) -> None:
        """Stop answering. Call it after :meth:`start`."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
