"""The request's deadline: set once at its start, and shared by all its calls to other servers.

It counts from the stamp of the edge. So the time that a request has spent in the backlog and in the queue for a thread
is part of it, and a request that has waited for too long is refused before any work. A warm page of the fast path
(``shop/web/fast_path.py``) does not come here: it takes less work than a refusal.
"""

from collections.abc import Callable
from typing import Literal

from flask import Flask, request

from shop.clock import Clock
from shop.errors import DeadlinePassed
from shop.patterns.resilience import RequestDeadline, deadlines

RefusalCause = Literal["queue", "client"]
"""What used the time up: the wait for a thread, or the client's own limit."""
QUEUED_TOO_LONG = "The store was too busy to begin this in time; nothing was done. Try again in a moment."
CLIENT_GONE = "The client has stopped waiting; nothing was done."


def install(app: Flask, limit_s: float, clock: Clock, on_refused: Callable[[RefusalCause], None]) -> None:
    """Give every request of the app a deadline, and remove it at the end: the thread serves other requests later.

    Args:
        app: the application.
        limit_s: seconds from the arrival of the request at the edge, or from its start if it did not come through the
            edge. A trusted proxy may ask for less with ``X-Deadline-Ms``; from other clients both headers are dropped
            (``shop/web/trusted_proxy.py``).
        clock: tells the time of day, which agrees with the edge's.
        on_refused: called for each request whose deadline has passed before its start.
    """

    def refuse(cause: RefusalCause, detail: str) -> None:
        on_refused(cause)
        raise DeadlinePassed(detail)

    def begin() -> None:
        client_limit_s = deadlines.read(request.headers.get(deadlines.HEADER))
        if client_limit_s == 0:
            refuse("client", CLIENT_GONE)
        waited_s = deadlines.waited(request.headers.get(deadlines.ARRIVAL_HEADER), clock.now().timestamp())
        left_s = (limit_s if client_limit_s is None else min(client_limit_s, limit_s)) - waited_s
        if left_s <= 0:
            refuse("queue", QUEUED_TOO_LONG)
        deadlines.begin(RequestDeadline.within(left_s))

    def end(error: BaseException | None) -> None:
        deadlines.begin(None)

    app.before_request(begin)
    app.teardown_request(end)
