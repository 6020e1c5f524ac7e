"""A gunicorn worker that answers the health probes before a request thread is taken.

Problem: when every request thread waits, for a locked table or a slow provider, ``/livez`` and ``/readyz`` wait behind
them. Then a busy process is restarted for being busy, and the whole fleet with it.
Method: a bulkhead. The worker's loop waits for the first bytes of a connection itself and looks at them without taking
them (``MSG_PEEK``). The whole head of a probe goes to a thread of that probe's own, everything else to the request
threads; both are served by the same code, so an answer does not depend on the way it went. A head that arrives in
pieces, or has a body, goes to the request threads: the probes' threads must never wait for a client.
The loop must not wait for a client either: gunicorn's closes a connection by waiting up to two seconds for the other
side to hang up. Here that is an event like any other.
Source: Nygard, "Release It!", "Bulkheads"; gunicorn's ``gthread`` worker; RFC 9112, 9.6 (closing in stages).
"""

import http
import re
import select
import socket
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from shop.settings import load_settings

PROBE_PATHS = (b"/livez", b"/readyz")
PROBE_LINE = re.compile(rb"(?:GET|HEAD) (/livez|/readyz)(?:\?[^ \r\n]*)? HTTP/1\.[01]\r\n")
HAS_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding)\s*:", re.IGNORECASE)
HEAD_BYTES = 4096
"""More than the head of any prober; a longer one goes to the request threads."""
LINGER_S = 2.0
"""Seconds a client has for hanging up after the last answer, as gunicorn gives it."""
LINGER_BYTES = 65_536
"""What a client may still send meanwhile, as gunicorn lets it."""


def probe_path(head: bytes) -> bytes | None:
    """Return which probe a connection asks for.

    Args:
        head: its first bytes, as far as they have arrived.

    Returns:
        The path, or ``None`` for any other request, one whose head is not whole, and one with a body.
    """
    found = PROBE_LINE.match(head)
    if found is None or b"\r\n\r\n" not in head or HAS_BODY.search(head, 0, head.index(b"\r\n\r\n")):
        return None
    return found[1]


class LingeringConnection(TConn):  # type: ignore[misc]  # gunicorn is untyped
    """A connection whose graceful end is left to the worker's loop.

    Args:
        linger: takes the socket over when the last answer has been written.
        given: as gunicorn's own.
    """

    def __init__(self, linger: Callable[[socket.socket], None], *given: Any) -> None:
        super().__init__(*given)
        self._linger = linger

    def first_bytes(self) -> bytes | None:
        """Return what can be read now without taking it; ``None`` for nothing yet, empty for the end."""
        try:
            return bytes(self.sock.recv(HEAD_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return None
        except (OSError, ValueError):  # broken, or under TLS: the request threads find out
            return b""

    def takes_an_answer(self) -> bool:
        """Tell whether a small answer can be written without waiting for the client to read earlier ones."""
        waiting = select.poll()
        waiting.register(self.sock, select.POLLOUT)
        return bool(waiting.poll(0))

    def close(self, graceful: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's signature
        """Close at once, or gracefully in the loop."""
        if graceful:
            self._linger(self.sock)
        else:
            super().close()


@dataclass
class LingeringClose:
    """A connection whose last answer has been written, until the other side hangs up."""

    deadline: float
    drained: int = 0


class ProbeAnsweringWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """``gthread`` with a thread for each probe. Everything here but :meth:`handle` runs on the worker's loop."""

    def init_process(self) -> None:
        """Prepare after the fork, then run; threads are started by the first probe."""
        self._probe_pools: dict[bytes, Executor] = {
            path: ThreadPoolExecutor(1, thread_name_prefix=f"probe{path.decode()}") for path in PROBE_PATHS
        }
        self._lingering: dict[socket.socket, LingeringClose] = {}
        from shop.web.security import headers  # here: gunicorn's parent loads this module, and needs no Flask

        self._security_headers = headers(https_only=not load_settings().is_lab)
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection; no thread is taken for it before its first bytes are here."""
        try:
            sock, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another worker was quicker, or the client has gone
        self.nr_conns += 1
        conn = LingeringConnection(self._linger, self.cfg, sock, client, listener.getsockname())
        if conn.first_bytes() is not None:
            self.enqueue_req(conn)
            return
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: LingeringConnection) -> None:
        """Hand a connection with something to read to a thread: a probe's own, or one of the request threads."""
        conn.data_ready = True
        path = self._probe_path(conn)
        pool: Any = self.tpool if path is None else self._probe_pools[path]
        future: Future[object] = pool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what could not be read, or broke outside the application, in the store's own words."""
        from shop.web.protocol_refusals import response_bytes, status_of  # here: gunicorn's parent loads this module

        status = status_of(exc)
        request = req or getattr(exc, "req", None)
        path = getattr(request, "path", None) or ""
        if status < http.HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(exc, ParseException):
            self.log.warning("Refused a request from %s: %s", (addr or ("", 0))[0], exc)
        else:
            self.log.exception("Error handling request %s", path)
        with suppress(OSError):  # the client may have gone
            util.write_nonblock(client, response_bytes(status, path, self._security_headers))

    def murder_pending(self) -> None:
        """Close what has been silent, or has been closing, for too long."""
        super().murder_pending()
        now = time.monotonic()
        for sock, closing in list(self._lingering.items()):
            if closing.deadline > now:
                break  # they lie in the order of their deadlines
            self._hang_up(sock)

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            super().run()
        finally:
            for pool in self._probe_pools.values():
                pool.shutdown(wait=False)

    def _probe_path(self, conn: LingeringConnection) -> bytes | None:
        if conn.parser is not None and conn.parser.unreader.buf.getvalue():
            return None  # the next request has been read ahead: what lies in the socket is not its beginning
        path = probe_path(conn.first_bytes() or b"")
        return path if path is not None and conn.takes_an_answer() else None

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:  # a silent one would hold up the stop until it is killed
            conn.timeout = min(conn.timeout, deadline)

    def _linger(self, sock: socket.socket) -> None:
        """Tell the client that this was all, and let it hang up first: a reset could cut off the last answer."""
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
            self.poller.register(sock, EVENT_READ, self._drain)
        except (OSError, ValueError, KeyError):
            sock.close()
            return
        self.nr_conns += 1  # it holds a descriptor, and a stop waits for it
        self._lingering[sock] = LingeringClose(time.monotonic() + LINGER_S)

    def _drain(self, sock: socket.socket) -> None:
        closing = self._lingering[sock]
        try:
            received = len(sock.recv(LINGER_BYTES))
        except BlockingIOError:
            return
        except OSError:
            received = 0
        closing.drained += received
        if not received or closing.drained >= LINGER_BYTES:
            self._hang_up(sock)

    def _hang_up(self, sock: socket.socket) -> None:
        del self._lingering[sock]
        self.poller.unregister(sock)
        sock.close()
        self.nr_conns -= 1
