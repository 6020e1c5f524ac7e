"""A gunicorn worker that answers the health probes before a request thread is taken.

Problem: if every request thread waits for a locked table or a slow provider, ``/livez`` and ``/readyz`` wait too. Then
a process is restarted because it is busy, and the whole fleet with it.
Method: a bulkhead. The worker's loop waits for the first bytes of a connection and reads them without removing them
from the socket (``MSG_PEEK``). A probe whose head is complete goes to a separate thread for that probe, every other
request to the request threads. The same code answers both, so a response does not depend on the thread. A request
with a body goes to the request threads: a probe thread must never wait for a client.
No thread waits for the rest of a request: until the whole body is in the socket, the connection is not readable for the
loop (``SO_RCVLOWAT``). Elsewhere than on Linux it may be readable earlier, and then a thread waits.
The loop must not wait for a client either. To close a connection, gunicorn's loop waits up to two seconds for the other
side to hang up; here that is an event like any other.
Source: Nygard, "Release It!", "Bulkheads"; gunicorn's ``gthread`` worker; RFC 9112, 9.6 (closing in stages).
"""

import fcntl
import http
import re
import select
import socket
import sys
import termios
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
"""Larger than the head of any probe; a longer one goes to the request threads."""
ACCEPTS_A_ROUND = 16
"""Enough for a burst, and few enough that another process gets its share of the connections."""
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
EXPECTS = re.compile(rb"\r\nexpect[ \t]*:", re.IGNORECASE)
"""The client sends the body when it is asked for it."""
AWAITED_BYTES = 400_000
"""More than the head and the body that the store takes together; a larger request is refused by its head."""
LINGER_S = 2.0
"""Seconds that a client has to hang up after the last response; the same as gunicorn's."""
LINGER_BYTES = 65_536
"""Bytes that a client may still send meanwhile; the same as gunicorn's."""


def probe_path(head: bytes) -> bytes | None:
    """Return the probe that a connection requests.

    Args:
        head: the first bytes that have arrived.

    Returns:
        The path, or ``None`` for any other request, an incomplete head, or a request with a body.
    """
    match = PROBE_LINE.match(head)
    if match is None or b"\r\n\r\n" not in head or HAS_BODY.search(head, 0, head.index(b"\r\n\r\n")):
        return None
    return match[1]


def awaited_bytes(head: bytes) -> int:
    """Return how many bytes must arrive before a request takes a thread; 0 if it need not wait.

    Args:
        head: the first bytes that have arrived.
    """
    end = head.find(b"\r\n\r\n")
    if end < 0:
        return len(head) + 1 if len(head) < HEAD_BYTES else 0
    lengths = CONTENT_LENGTH.findall(head, 0, end + 2)
    if len(lengths) != 1 or EXPECTS.search(head, 0, end + 2):  # no body, two lengths, or a body that is asked for
        return 0
    whole = end + 4 + int(lengths[0])
    return whole if whole <= AWAITED_BYTES else 0


class LingeringConnection(TConn):  # type: ignore[misc]  # gunicorn is untyped
    """A connection that the worker's loop closes gracefully.

    Args:
        linger: takes over the socket after the last response.
        arguments: passed to gunicorn's connection.
    """

    def __init__(self, linger: Callable[[socket.socket], None], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._linger = linger
        self.awaited_bytes = 0
        """The bytes for which the connection waits; 0 if it does not."""

    def first_bytes(self) -> bytes | None:
        """Return the bytes that have arrived, without removing them; ``None`` for none yet, empty for the end."""
        try:
            return bytes(self.sock.recv(HEAD_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return None
        except (OSError, ValueError):  # broken, or under TLS: the request threads handle it
            return b""

    def arrived_bytes(self) -> int:
        """Return how many bytes have arrived and were not read."""
        return int.from_bytes(fcntl.ioctl(self.sock, termios.FIONREAD, bytes(4)), sys.byteorder)

    def await_bytes(self, count: int) -> None:
        """Be readable only when so many bytes have arrived, or the client has hung up; 0 for any byte."""
        self.awaited_bytes = count
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, max(1, count))

    def is_writable(self) -> bool:
        """Return whether a small response can be written without waiting for the client to read earlier ones."""
        waiting = select.poll()
        waiting.register(self.sock, select.POLLOUT)
        return bool(waiting.poll(0))

    def close(self, graceful: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's signature
        """Close the connection at once, or gracefully in the loop."""
        if graceful:
            self._linger(self.sock)
        else:
            super().close()


@dataclass
class LingeringClose:
    """A connection after its last response, until the client hangs up."""

    deadline: float
    drained: int = 0


class ProbeAnsweringWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """``gthread`` with a thread for each probe. All methods except :meth:`handle` run in the worker's loop."""

    def init_process(self) -> None:
        """Prepare after the fork, then run; the first probe starts its thread."""
        self._probe_pools: dict[bytes, Executor] = {
            path: ThreadPoolExecutor(1, thread_name_prefix=f"probe{path.decode()}") for path in PROBE_PATHS
        }
        self._lingering: dict[socket.socket, LingeringClose] = {}
        from shop.web.security import headers  # here: gunicorn's parent imports this module and needs no Flask

        self._security_headers = headers(https_only=not load_settings().is_lab)
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Accept what waits in the backlog: the loop of a busy process runs seldom."""
        for _ in range(ACCEPTS_A_ROUND):
            if self.nr_conns >= self.worker_connections or not self._accept_one(listener):
                return

    def _accept_one(self, listener: socket.socket) -> bool:
        """Accept a connection; it takes a thread only when its first bytes have arrived."""
        try:
            sock, client = listener.accept()
        except ConnectionAbortedError:
            return True  # the client has disconnected
        except BlockingIOError:
            return False  # another worker was faster, or nothing is left
        self.nr_conns += 1
        conn = LingeringConnection(self._linger, self.cfg, sock, client, listener.getsockname())
        if conn.first_bytes() is not None:
            self.enqueue_req(conn)
            return True
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))
        return True

    def enqueue_req(self, conn: LingeringConnection) -> None:
        """Give a readable connection to a thread: a probe's own, or one of the request threads.

        A connection whose client has hung up takes none.
        """
        conn.data_ready = True
        # If gunicorn has read ahead, the bytes in the socket are not the beginning of the next request.
        has_read_ahead = conn.parser is not None and conn.parser.unreader.buf.getvalue()
        arrived = b"" if has_read_ahead else conn.first_bytes()
        if arrived == b"" and not has_read_ahead and not self.cfg.is_ssl:  # the client has hung up
            self.nr_conns -= 1
            conn.close()
            return
        head = arrived or b""
        if not has_read_ahead and self._waits_for_the_rest(conn, head):
            return
        path = probe_path(head)
        if path is None or not conn.is_writable():
            self.enqueue_page(conn, head)
        else:
            self._submit(self._probe_pools[path], conn)

    def _waits_for_the_rest(self, conn: LingeringConnection, head: bytes) -> bool:
        """Let a request whose bytes are not all there wait outside the threads; return whether it does."""
        awaited = awaited_bytes(head)
        if not awaited and not conn.awaited_bytes:
            return False
        arrived = conn.arrived_bytes()
        if arrived >= awaited or arrived < conn.awaited_bytes:  # all there, or the client has hung up
            if conn.awaited_bytes:
                conn.await_bytes(0)
            return False
        if not conn.awaited_bytes:  # a client that sends a byte now and then gets no more time for it
            conn.timeout = time.monotonic() + self.cfg.keepalive
        conn.await_bytes(awaited)
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))
        return True

    def enqueue_page(self, conn: LingeringConnection, head: bytes) -> None:
        """Give a request that is no probe to the request threads.

        Args:
            conn: its connection.
            head: the first bytes that have arrived.
        """
        self._submit(self.tpool, conn)

    def _submit(self, pool: Executor, conn: LingeringConnection) -> None:
        future: Future[object] = pool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Send the store's own response to an unreadable request or to an error outside the application."""
        from shop.web.protocol_refusals import response_bytes, status_of  # here: gunicorn's parent imports this module

        status = status_of(exc)
        request = req or getattr(exc, "req", None)
        path = getattr(request, "path", None) or ""
        if status < http.HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(exc, ParseException):
            self.log.warning("Refused a request from %s: %s", (addr or ("", 0))[0], exc)
        else:
            self.log.exception("Error handling request %s", path)
        with suppress(OSError):  # the client may have disconnected
            util.write_nonblock(client, response_bytes(status, path, self._security_headers))

    def murder_pending(self) -> None:
        """Close connections that have been silent, or have been closing, for too long."""
        super().murder_pending()
        now = time.monotonic()
        for sock, closing in list(self._lingering.items()):
            if closing.deadline > now:
                break  # they are in the order of their deadlines
            self._hang_up(sock)

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            super().run()
        finally:
            for pool in self._probe_pools.values():
                pool.shutdown(wait=False)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:  # a silent connection would delay the stop until the worker is killed
            conn.timeout = min(conn.timeout, deadline)

    def _linger(self, sock: socket.socket) -> None:
        """Shut down our side, and let the client hang up first: a reset could cut off the last response."""
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
            self.poller.register(sock, EVENT_READ, self._drain)
        except (OSError, ValueError, KeyError):
            sock.close()
            return
        self.nr_conns += 1  # it has a file descriptor, and a stop waits for it
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
