"""The request's deadline: set once at its start, shared by every call it makes to another server."""

from flask import Flask, request

from shop.errors import DeadlinePassed
from shop.patterns.resilience import RequestDeadline, deadlines


def install(app: Flask, limit_s: float) -> None:
    """Give every request of the app a deadline, and take it back at its end: its thread goes on to other work.

    Args:
        app: the application.
        limit_s: seconds from its start; a proxy of ours that waits less long may say so in ``X-Deadline-Ms``. From
            anybody else the header does not get this far (``shop/web/trusted_proxy.py``).
    """

    def begin() -> None:
        asked_s = deadlines.read(request.headers.get(deadlines.HEADER))
        if asked_s == 0:
            raise DeadlinePassed("Whoever asked has stopped waiting; nothing was done.")
        deadlines.begin(RequestDeadline.within(limit_s if asked_s is None else min(asked_s, limit_s)))

    def end(error: BaseException | None) -> None:
        deadlines.begin(None)

    app.before_request(begin)
    app.teardown_request(end)
