"""The HTTP server with which a process without Flask answers probes and ``/metrics``, in threads of their own."""

import socket
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shop.errors import ConfigurationError

Answer = Callable[[str], tuple[int, bytes, str]]
"""Is given a path; returns status, body and media type."""


class _ServerV6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class ProbeServer:
    """Answers ``GET`` on one port of some addresses until it is stopped.

    Args:
        answer: what is answered; called in a thread of each request's own.
        hosts: the addresses to listen on.
        port: on each of them; 0 for any free one, which differs between them.

    Raises:
        ConfigurationError: one of them cannot be listened on.
    """

    def __init__(self, answer: Answer, hosts: Sequence[str], port: int) -> None:
        self._servers: list[ThreadingHTTPServer] = []
        for host in hosts:
            kind = _ServerV6 if ":" in host else ThreadingHTTPServer
            try:
                self._servers.append(kind((host, port), _handler(answer)))
            except OSError as error:
                for made in self._servers:
                    made.server_close()
                raise ConfigurationError(
                    f"Probes and /metrics cannot be answered on {host}:{port} ({error.strerror}):"
                    " choose another --port, or set SHOP_METRICS_HOST to an address of this machine."
                ) from None

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the port on each address."""
        return tuple(server.server_port for server in self._servers)

    def start(self) -> None:
        """Answer from now on, in daemon threads."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, name="probe", daemon=True).start()

    def stop(self) -> None:
        """Answer no more; to be called after :meth:`start`."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class ProbeRequestHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, kind = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of probes."""

    return ProbeRequestHandler
