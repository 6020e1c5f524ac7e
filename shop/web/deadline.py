"""The request's deadline: set once at its start, and shared by all its calls to other servers."""

from flask import Flask, request

from shop.errors import DeadlinePassed
from shop.patterns.resilience import RequestDeadline, deadlines


def install(app: Flask, limit_s: float) -> None:
    """Give every request of the app a deadline, and remove it at the end: the thread serves other requests later.

    Args:
        app: the application.
        limit_s: seconds from the start of the request. A trusted proxy may ask for less with ``X-Deadline-Ms``; from
            other clients the header is dropped (``shop/web/trusted_proxy.py``).
    """

    def begin() -> None:
        client_limit_s = deadlines.read(request.headers.get(deadlines.HEADER))
        if client_limit_s == 0:
            raise DeadlinePassed("The client has stopped waiting; nothing was done.")
        deadlines.begin(RequestDeadline.within(limit_s if client_limit_s is None else min(client_limit_s, limit_s)))

    def end(error: BaseException | None) -> None:
        deadlines.begin(None)

    app.before_request(begin)
    app.teardown_request(end)
