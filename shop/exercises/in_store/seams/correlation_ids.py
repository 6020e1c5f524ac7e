"""Exercise ``correlation-ids``: the id of each request.

The attempt is called around an application of one line, before the store's own: it decides the id, and the store sends
it. So a mistake of the attempt cannot run a request twice, or lose its response.
"""

import logging
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten
from shop.patterns.observability import correlation

AdoptIds = Callable[[str | None, str | None], None]
HEADER = "x-request-id"
_SEEN = "exercise.request_id"

_log = logging.getLogger("shop.exercises")


def adapt(attempt: LoadedAttempt, default: AdoptIds) -> AdoptIds:
    """Return a function that lets the attempt decide the id of a request."""
    log = attempt.wrap_store(lambda line: _log.info("attempt_line", extra={"line": shorten(line)}))
    text = f"{attempt.place.slot.defines}(app, current_id, log)"
    arguments = (_remember_id, correlation.request_id, log)
    middleware = attempt.once("middleware", lambda: attempt.make(text, arguments, lambda: None))
    if middleware is None:
        return default

    def ask(environ: MutableMapping[str, Any]) -> str:
        headers: list[tuple[str, str]] = []
        response = middleware(environ, lambda status, sent, exc_info=None: headers.extend(sent))
        for _ in response:
            pass
        if (close := getattr(response, "close", None)) is not None:
            close()
        sent_ids = [value for name, value in headers if name.lower() == HEADER]
        return str(environ.get(_SEEN, "")) if sent_ids == [environ.get(_SEEN)] else ""

    def adopt(received_id: str | None, received_traceparent: str | None) -> None:
        default(received_id, received_traceparent)
        own_id = correlation.request_id.get()
        environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
        if received_id is not None:
            environ["HTTP_X_REQUEST_ID"] = received_id
        call = f"correlated(app, current_id, log)(environ, start_response) with X-Request-ID {received_id!r}"
        chosen: str = attempt.call(call, ask, (environ,), lambda: own_id, _fault)
        correlation.request_id.set(chosen)

    return adopt


def _remember_id(environ: MutableMapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    environ[_SEEN] = correlation.request_id.get()
    start_response("200 OK", [])
    return [b""]


def _fault(value: Any) -> str:
    return "" if value else "the id inside the application is not the one in the header X-Request-ID of the response."
