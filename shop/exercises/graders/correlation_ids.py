"""Checks of the exercise ``correlation-ids``: each request of a WSGI application has one well-formed id of its own."""

import re
import string
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from wsgiref.util import setup_testing_defaults

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,128}")
ALPHABET = string.ascii_letters + string.digits + "._-"
ACCEPTED = ("checkout-4711", "a.B_c-12", "A" * 128)
"""An ordinary id, and the shortest and the longest one."""
BAD_IDS = (
    None,
    "",
    "short-7",
    "A" * 129,
    "checkout 4711",
    "checkout-4711\n",
    'checkout-4711\nlevel=error msg="forged"',
    "bestellung-münchen",
    "<script>-4711",
)
"""``None``: the header is missing."""
STATUS, KIND, BODY = "201 Created", ("Content-Type", "text/plain"), [b"an ", b"answer"]
PAGE = "docs/patterns/correlation-ids.md"
MAX_WAIT_S = 1.2
"""Seconds in which both requests must have begun: below the time after which the check ends the process."""


@dataclass
class HttpExchange:
    """One request and its response, as the server sees them, and the ids that the application saw."""

    seen: list[str] = field(default_factory=list)
    """``current_id`` when the application is called, and then before each part of the body."""
    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    exc_info: Any = None
    body: bytes = b""
    closed: int = 0
    """How often ``close`` of the application's body was called."""

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        """Begin the response, as a WSGI server does."""
        self.status, self.headers, self.exc_info = status, list(headers), exc_info
        return lambda data: None

    def header_values(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class StreamedBody:
    """A body whose parts are made while the server sends it.

    Args:
        exchange: notes the id at each part.
        current_id: holds it.
    """

    def __init__(self, exchange: HttpExchange, current_id: ContextVar[str]) -> None:
        self._exchange = exchange
        self._current_id = current_id

    def __iter__(self) -> Iterator[bytes]:
        """Make the parts."""
        for part in BODY:
            self._exchange.seen.append(self._current_id.get())
            yield part

    def close(self) -> None:
        """Note the call."""
        self._exchange.closed += 1


class CheckedMiddleware:
    """The attempt's middleware around an application of the check.

    Args:
        correlated: the attempt's function.
        calls: calls it.
        answer: what the application does, after it has noted the id.
    """

    def __init__(
        self,
        correlated: Callable[..., Any],
        calls: AttemptCalls,
        answer: Callable[["CheckedMiddleware", HttpExchange, Callable[..., Any]], Any] | None = None,
    ) -> None:
        self.current_id: ContextVar[str] = ContextVar("current_id", default="")
        self.lines: list[str] = []
        self._calls = calls
        self._answer = answer or answer_plainly
        arguments = (self._application, self.current_id, self.lines.append)
        self._middleware = calls.call("correlated(app, current_id, log)", correlated, *arguments)

    def request(self, received: str | None, *, when: str = "") -> HttpExchange:
        """Send a request and read its response to the end.

        Args:
            received: the header's value; ``None`` for a request without it.
            when: added to the description.
        """
        return self._calls.call(describe(received) + when, partial(self.exchange, received))  # type: ignore[no-any-return]

    def exchange(self, received: str | None) -> HttpExchange:
        """Do the same without an announcement."""
        exchange = HttpExchange()
        environ: dict[str, Any] = {"check.exchange": exchange}
        setup_testing_defaults(environ)
        if received is not None:
            environ["HTTP_X_REQUEST_ID"] = received
        body = self._middleware(environ, exchange.start)
        try:
            exchange.body = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        return exchange

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        exchange: HttpExchange = environ["check.exchange"]
        exchange.seen.append(self.current_id.get())
        return self._answer(self, exchange, start_response)


def answer_plainly(middleware: CheckedMiddleware, exchange: HttpExchange, start_response: Callable[..., Any]) -> Any:
    """Answer with two parts that exist already."""
    start_response(STATUS, [KIND])
    return list(BODY)


def answer_in_parts(middleware: CheckedMiddleware, exchange: HttpExchange, start_response: Callable[..., Any]) -> Any:
    """Answer with a body that is made while it is sent."""
    start_response(STATUS, [KIND])
    return StreamedBody(exchange, middleware.current_id)


def answer_after_error(
    middleware: CheckedMiddleware, exchange: HttpExchange, start_response: Callable[..., Any]
) -> Any:
    """Answer with an error page, as an application does that has caught an exception."""
    try:
        raise LookupError("no such product")
    except LookupError:
        start_response("500 Internal Server Error", [KIND], sys.exc_info())
    return list(BODY)


def check_accepts(correlated: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a well-formed id is the current one in the application."""
    drawn = "".join(calls.rng.choices(ALPHABET, k=24))
    for received in (*ACCEPTED, drawn):
        exchange = CheckedMiddleware(correlated, calls).request(received)
        if exchange.seen != [received]:
            came = _seen(exchange)
            look = "Set current_id before you call app. Well-formed: 8 to 128 of letters, digits, `.`, `_`, `-`."
            calls.fail(describe(received), f"current_id.get() is {shorten(repr(received))} in app.", came, look)


def check_replaces(correlated: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that every missing or malformed id is replaced by a new one."""
    used: set[str] = set()
    for received in BAD_IDS:
        exchange = CheckedMiddleware(correlated, calls).request(received)
        made = exchange.seen[0] if exchange.seen else ""
        if not WELL_FORMED.fullmatch(made) or made in used:
            again = ", the same as before." if made in used else "."
            expected = "a new id in app: 8 to 128 of the letters a to z and A to Z, digits, `.`, `_`, `-`."
            look = f"Check the whole text, from its first to its last character: see {PAGE}."
            calls.fail(describe(received), expected, f"current_id.get() is {shorten(repr(made))}{again}", look)
        used.add(made)


def check_returns(correlated: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the header of the response, and that all else is the application's."""
    for received in ("checkout-4711", None):
        exchange = CheckedMiddleware(correlated, calls).request(received)
        values = exchange.header_values(HEADER)
        if values != exchange.seen[:1]:
            look = "Hand the application a start_response of your own, which adds the header and calls the server's."
            came = f"{HEADER}: {', '.join(values)}." if values else f"no {HEADER}."
            calls.fail(describe(received), f"one {HEADER} in the response: the id that app saw.", came, look)
        _require_response(calls, describe(received), exchange, STATUS)
    did = f"{describe('checkout-4711')}, and app calls start_response with the exception that it has caught"
    failed = CheckedMiddleware(correlated, calls, answer_after_error)
    exchange = calls.call(did, failed.exchange, "checkout-4711")
    _require_response(calls, did, exchange, "500 Internal Server Error")
    if exchange.exc_info is None:
        look = "PEP 3333: start_response(status, headers, exc_info=None). Pass all three on."
        calls.fail(did, "the server's start_response gets the exception, too.", "it got status and headers only.", look)


def check_logs(correlated: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that one line a request is written, with the id, and nothing malformed."""
    for received in ("checkout-4711", *BAD_IDS):
        middleware = CheckedMiddleware(correlated, calls)
        exchange = middleware.request(received)
        made = exchange.seen[0]
        if len(middleware.lines) != 1 or made not in str(middleware.lines[0]):
            came = f"{len(middleware.lines)} lines: {shorten(middleware.lines)}."
            look = "Call log(...) once for each request; the text contains the id."
            calls.fail(describe(received), f"one line with the id {shorten(made)}.", came, look)
        if received and received != made and received in middleware.lines[0]:
            look = "Log the id that you have decided on, not the header: a line break in it would forge a second line."
            expected = "a line without the malformed id."
            calls.fail(describe(received), expected, f"{shorten(repr(middleware.lines[0]))}.", look)


def check_whole_body(correlated: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a response whose parts are made after the application has returned."""
    when = ", and app makes the body in two parts while the server sends it"
    did = describe("checkout-4711") + when
    exchange = CheckedMiddleware(correlated, calls, answer_in_parts).request("checkout-4711", when=when)
    if exchange.seen != ["checkout-4711"] * 3:
        look = "app returns before its body is made: current_id must keep the id until the body has ended."
        expected = "current_id.get() is 'checkout-4711' in app and at both parts."
        calls.fail(did, expected, _seen(exchange), look)
    _require_response(calls, did, exchange, STATUS)
    if exchange.closed != 1:
        look = "PEP 3333: middleware around a body calls its close(). If you return app's body itself, the server does."
        expected = "the server closes the body, and close() of app's body is called once."
        calls.fail(did, expected, f"it was called {exchange.closed} times.", look)


def check_no_leak(correlated: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the ids of requests that follow each other in one thread, and of two that run at the same time."""
    middleware = CheckedMiddleware(correlated, calls, _raise_for_second())
    ids = {"checkout-4711": "the first request"}
    middleware.request("checkout-4711")
    for name, when in (
        ("the second", ", after a request with 'checkout-4711' in the same thread"),
        ("the third", ", after a request in the same thread whose application raised an exception"),
    ):
        did = describe(None) + when
        exchange = calls.call(did, _exchange_despite_error, middleware)
        made = exchange.seen[0]
        if made in ids or not WELL_FORMED.fullmatch(made):
            look = "The variable still holds the id of the request before. Decide anew at each request."
            calls.fail(did, "a new id.", f"{made!r}, the id of {ids.get(made, 'no request')}.", look)
        ids[made] = f"{name} request"
    _check_two_at_once(correlated, calls)


def _check_two_at_once(correlated: Callable[..., Any], calls: AttemptCalls) -> None:
    both_inside = threading.Barrier(2)

    def answer(middleware: CheckedMiddleware, exchange: HttpExchange, start_response: Callable[..., Any]) -> Any:
        both_inside.wait(MAX_WAIT_S)
        exchange.seen.append(middleware.current_id.get())
        return answer_plainly(middleware, exchange, start_response)

    middleware = CheckedMiddleware(correlated, calls, answer)
    ids = ("checkout-4711", "checkout-4712")
    did = "two requests at the same time in two threads, with the ids checkout-4711 and checkout-4712"
    parts = [partial(calls.call, did, middleware.exchange, own) for own in ids]
    for own, exchange in zip(ids, calls.together(*parts), strict=True):
        came = [*exchange.seen, *exchange.header_values(HEADER)]
        if came != [own] * 3:
            look = "Keep the id in current_id or in a local variable of the call: all threads share everything else."
            expected = f"{own} in app and in the response of the request that sent it."
            calls.fail(did, expected, f"{', '.join(map(repr, came))} for the request with {own}.", look)


def _raise_for_second() -> Callable[[CheckedMiddleware, HttpExchange, Callable[..., Any]], Any]:
    requests = iter(range(3))

    def answer(middleware: CheckedMiddleware, exchange: HttpExchange, start_response: Callable[..., Any]) -> Any:
        if next(requests) == 1:
            raise ApplicationFailed(exchange)
        return answer_plainly(middleware, exchange, start_response)

    return answer


class ApplicationFailed(Exception):
    """Raised by the application of a check.

    Args:
        exchange: the request.
    """

    def __init__(self, exchange: HttpExchange) -> None:
        super().__init__("the application of the check raised this")
        self.exchange = exchange


def describe(received: str | None) -> str:
    """Return a request as the reader would write it."""
    if received is None:
        return f"a request without {HEADER}"
    return f"a request with {HEADER}: {shorten(repr(received)) if len(received) <= 128 else f'{len(received)} letters'}"


def _exchange_despite_error(middleware: CheckedMiddleware) -> HttpExchange:
    """Send a request without an id; the application, even if it raises, has noted the id before."""
    try:
        return middleware.exchange(None)
    except ApplicationFailed as error:
        return error.exchange


def _require_response(calls: AttemptCalls, did: str, exchange: HttpExchange, status: str) -> None:
    came = (exchange.status, exchange.header_values(KIND[0]), exchange.body)
    if came != (status, [KIND[1]], b"".join(BODY)):
        expected = f"the response of app: {status}, {': '.join(KIND)}, {b''.join(BODY)!r}."
        look = "Pass status, headers and body on as they are."
        calls.fail(did, expected, f"{exchange.status or 'no status'}, {exchange.headers}, {exchange.body!r}.", look)


def _seen(exchange: HttpExchange) -> str:
    if not exchange.seen:
        return "app was not called."
    return f"current_id.get() is {', then '.join(shorten(repr(one)) for one in exchange.seen)}."


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "accepts": check_accepts,
    "replaces": check_replaces,
    "returns": check_returns,
    "logs": check_logs,
    "whole-body": check_whole_body,
    "no-leak": check_no_leak,
}
