"""The gunicorn worker of the store: one bounded queue before a request thread is taken.

Problem: ``gthread`` gives every readable connection to its pool of threads, whose list has no end, no order but that of
arrival, and no way to refuse. A request that nobody awaits any more is served like any other.
Method: the worker's loop reads the first bytes of a request without removing them from the socket, finds its class and
offers it to a :class:`RequestQueue`. A refused request is answered by the loop itself with a 503 response: it takes no
thread and no Flask, and its connection stays open if the whole request is there to be removed. Probes have threads of
their own (``probe_worker``) and are never refused. If the threads are divided into lanes, the loop finds out who the
client is: by its address, since a token that nobody has checked could be a new one for each request.
Switches: ``overload.shedding``, ``overload.queue``, ``overload.lanes``. Experiments: ``overload``,
``shuffle-sharding``.
Source: Google, "Site Reliability Engineering", ch. 21; RFC 9110, 15.6.4 (503) and 10.2.3 (``Retry-After``).
"""

import re
import threading
import time
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ

from shop.patterns.overload import SHARED, LanePlan, RequestQueue, WaitingRequest, classify
from shop.patterns.overload.client_address import client_of_head
from shop.patterns.overload.request_queue import RefusalReason
from shop.settings import load_settings
from shop.web.probe_worker import CONTENT_LENGTH, HAS_BODY, LingeringConnection, ProbeAnsweringWorker
from shop.web.trusted_proxy import proxy_check

MEASURE_EVERY_S = 0.25
NOTIFY_EVERY_S = 0.5
"""A write to a file; gunicorn's limit for it is ``timeout``."""
CLOSES = re.compile(
    rb"\r\n(?:connection[ \t]*:[^\r\n]*\bclose\b|transfer-encoding[ \t]*:|expect[ \t]*:)", re.IGNORECASE
)
PATH = re.compile(rb"[A-Z]+ ([^ ?]*)[^ ]* HTTP/1\.1\r\n")
REQUEST_ID = re.compile(rb"\r\nx-request-id[ \t]*:[ \t]*([A-Za-z0-9._-]{8,128})[ \t]*\r\n", re.IGNORECASE)

Served = WaitingRequest[LingeringConnection]


def request_bytes(head: bytes) -> int | None:
    """Return the length of a request that has arrived as a whole.

    Args:
        head: the first bytes of a connection.

    Returns:
        The bytes of its head and body; ``None`` if some are missing, or if the connection is to be closed anyway.
    """
    end = head.find(b"\r\n\r\n") + 2
    if end < 2 or PATH.match(head) is None or CLOSES.search(head, 0, end):
        return None
    body = 0
    if HAS_BODY.search(head, 0, end):
        lengths = CONTENT_LENGTH.findall(head, 0, end)
        if len(lengths) != 1:
            return None
        body = int(lengths[0])
    whole = end + 2 + body
    return whole if whole <= len(head) else None


class HandledRequest:
    """The outcome of a request, as gunicorn's loop reads it from a future.

    Args:
        keeps_connection: what gunicorn's handler returned.
    """

    def __init__(self, keeps_connection: object) -> None:
        self._keeps_connection = keeps_connection

    def cancelled(self) -> bool:
        """Return that it was not."""
        return False

    def result(self) -> object:
        """Return what gunicorn's handler returned."""
        return self._keeps_connection


class RequestThreads:
    """The request threads of a process.

    Args:
        count: threads.
        queue: what they serve.
        handle: serves one request; must not raise.
        late: told of a request that has waited too long.
    """

    def __init__(
        self,
        count: int,
        queue: RequestQueue[LingeringConnection],
        handle: Callable[[Served], None],
        late: Callable[[Served], None],
    ) -> None:
        self._queue, self._handle, self._late = queue, handle, late
        for number in range(count):
            threading.Thread(target=self._run, name=f"request-{number}", daemon=True).start()

    def shutdown(self, *, wait: bool = False) -> None:
        """Let the threads end when nothing waits; they are not waited for."""
        self._queue.close()

    def _run(self) -> None:
        while (request := self._queue.take(self._late)) is not None:
            began = time.monotonic()
            self._handle(request)
            self._queue.done(request, time.monotonic() - began)


class QueueingWorker(ProbeAnsweringWorker):
    """``gthread`` with a bounded queue. Methods run in the worker's loop, except :meth:`_serve` and :meth:`_late`."""

    def get_thread_pool(self) -> RequestThreads:
        """Return the request threads."""
        self._queue: RequestQueue[LingeringConnection] = RequestQueue(time.monotonic)
        self._snapshot: object = None
        self._lanes: LanePlan = SHARED
        self._is_proxy = proxy_check(load_settings().trusted_proxies)
        self._measured_at = self._notified_at = 0.0
        return RequestThreads(self.cfg.threads, self._queue, self._serve, self._late)

    def notify(self) -> None:
        """Tell gunicorn's parent now and then, and not in every round of the loop, that the loop runs."""
        now = time.monotonic()
        if now - self._notified_at > NOTIFY_EVERY_S:
            self._notified_at = now
            super().notify()

    def enqueue_page(self, conn: LingeringConnection, head: bytes) -> None:
        """Let a request wait for a thread, or refuse it."""
        lanes = self._lanes.deal(self._client(conn, head)) if self._lanes.is_divided else ()
        refused = self._queue.offer(conn, classify(head), lanes)
        if refused is not None:
            self._refuse(refused, "full", head if refused.work is conn else None)

    def murder_pending(self) -> None:
        """Follow the switches, and give up requests that have waited for too long."""
        super().murder_pending()
        runtime = self.wsgi.extensions["runtime"]
        snapshot = runtime.switch_poller.current()
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            admission = runtime.services().admission
            self._lanes = admission.lanes
            self._queue.apply(admission)
        self._queue.expire(self._late)
        now = time.monotonic()
        if now - self._measured_at > MEASURE_EVERY_S:
            self._measured_at = now
            runtime.metrics.overload.measure(self._queue.limit, self._queue.waiting, self._queue.full_lanes)

    def _client(self, conn: LingeringConnection, head: bytes) -> str:
        peer = conn.client[0] if isinstance(conn.client, tuple) else ""
        return client_of_head(head, peer, self._is_proxy)

    def _serve(self, request: Served) -> None:
        """Serve a request in a thread of its own."""
        result: object = False
        try:
            result = self.handle(request.work)
        except BaseException:
            self.log.exception("A request thread failed")
        self.method_queue.defer(self.finish_request, request.work, HandledRequest(result))

    def _late(self, request: Served) -> None:
        self.method_queue.defer(self._refuse, request, "waited")

    def _refuse(self, request: Served, reason: RefusalReason, head: bytes | None = None) -> None:
        from shop.web.protocol_refusals import overload_response  # here: gunicorn's parent imports this module

        conn = request.work
        if head is None:
            has_read_ahead = conn.parser is not None and conn.parser.unreader.buf.getvalue()
            head = b"" if has_read_ahead else conn.first_bytes() or b""
        length = request_bytes(head) if self.alive else None
        path, request_id = PATH.match(head), REQUEST_ID.search(head)
        response = overload_response(
            path[1].decode("latin-1") if path else "",
            request_id[1].decode() if request_id else None,
            self._security_headers,
            closes=length is None,
        )
        self.wsgi.extensions["runtime"].metrics.overload.count_refusal(request.priority.label, reason)
        try:
            conn.sock.setblocking(False)
            if length is not None:
                conn.sock.recv(length)
            is_sent = conn.sock.send(response) == len(response)
        except OSError:  # the client has disconnected, or does not read
            is_sent = False
        if is_sent and length is not None:
            conn.set_timeout()
            self.keepalived_conns.append(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self.on_client_socket_readable, conn))
        else:
            self.nr_conns -= 1
            conn.close(graceful=is_sent)
