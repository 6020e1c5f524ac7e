"""A server whose behaviour is known: it does what it is told, and counts what it reads and what it answers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import gevent
from gevent.server import StreamServer

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
DROP = -1.0
"""Instead of seconds: close the connection without an answer."""


class KnownServer:
    """Answers each request after a time that the caller decides, on a free port of this machine.

    Args:
        decide: receives the number of a request, from 1, and its path. It returns seconds, or :data:`DROP`.
    """

    def __init__(self, decide: Callable[[int, str], float]) -> None:
        self._decide = decide
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self.read = 0
        """Requests that it has read."""
        self.dropped = 0
        self.times_s: list[float] = []
        """For each answered request, the seconds from its arrival to its answer."""

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["KnownServer"]:
        """Serve during the block."""
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(timeout=0)

    def _serve(self, connection: Any, address: object) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            while path := _read_path(lines):
                began = time.perf_counter()
                self.read += 1
                seconds = self._decide(self.read, path)
                if seconds == DROP:
                    self.dropped += 1
                    return
                gevent.sleep(seconds)
                self.times_s.append(time.perf_counter() - began)
                connection.sendall(ANSWER)


def _read_path(lines: IO[bytes]) -> str:
    """Read a request without a body; return its path, or nothing at the end of the connection."""
    first = lines.readline().split()
    while lines.readline().strip():
        pass
    return first[1].decode() if len(first) == 3 else ""
