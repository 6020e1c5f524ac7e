"""Protocol errors: responses to bytes that the web server cannot read as a request, or if the application crashes.

Problem: gunicorn and nginx answer such a request themselves, each with its own page and without the store's headers. A
program that expects problem documents receives HTML, and a person sees the name of a server.
Method: one table of messages, by status. gunicorn's worker makes its responses from it, and the edge's configuration
(``deploy/nginx``) has the same messages; a test compares the two.
Source: RFC 9110, 15 (status codes); RFC 9457 (problem documents).
"""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gunicorn.http import errors as unreadable

from shop.patterns.observability import correlation
from shop.web.http_caching import NO_STORE
from shop.web.problems import DEFAULT_RETRY_AFTER_S, MACHINE_PREFIXES


@dataclass(frozen=True, slots=True)
class ProtocolRefusal:
    """The response to one kind of protocol error.

    Args:
        kind: the last part of the problem's ``type``.
        title: the status in words (RFC 9110).
        detail: one sentence or two for a person.
    """

    kind: str
    title: str
    detail: str


REFUSALS: Mapping[int, ProtocolRefusal] = MappingProxyType(
    {
        400: ProtocolRefusal(
            "malformed",
            "Bad Request",
            "This is no HTTP request the store can read. An address holds printable ASCII characters; others are"
            " percent-encoded, and control characters have no place in one. A condition such as If-None-Match stands"
            " on one line.",
        ),
        403: ProtocolRefusal("forbidden", "Forbidden", "The store does not take this request."),
        404: ProtocolRefusal("not-found", "Not Found", "There is nothing at this address."),
        405: ProtocolRefusal("method-not-allowed", "Method Not Allowed", "This address does not take that method."),
        412: ProtocolRefusal(
            "precondition-failed", "Precondition Failed", "The file is not the one the request speaks of."
        ),
        413: ProtocolRefusal(
            "request-entity-too-large", "Request Entity Too Large", "The body is larger than the store takes."
        ),
        414: ProtocolRefusal("uri-too-long", "URI Too Long", "The address is longer than the store takes."),
        416: ProtocolRefusal("range-not-satisfiable", "Range Not Satisfiable", "The file has no such part."),
        417: ProtocolRefusal(
            "expectation-failed", "Expectation Failed", "The store cannot do what the request's Expect asks for."
        ),
        429: ProtocolRefusal(
            "too-many-requests",
            "Too Many Requests",
            "Too many requests of your address are under way. Try again in a moment.",
        ),
        431: ProtocolRefusal(
            "request-header-fields-too-large",
            "Request Header Fields Too Large",
            "The head of the request is larger than the store takes. Deleting the cookies of this site may help.",
        ),
        500: ProtocolRefusal(
            "internal-server-error", "Internal Server Error", "Something broke on our side. We have logged it."
        ),
        501: ProtocolRefusal(
            "not-implemented", "Not Implemented", "The store does not know the way this body is sent."
        ),
        503: ProtocolRefusal(
            "unavailable",
            "Service Unavailable",
            "The store is not answering. Nothing you did is lost. Try again in a moment.",
        ),
        505: ProtocolRefusal(
            "http-version-not-supported", "HTTP Version Not Supported", "The store speaks HTTP/1.0 and HTTP/1.1."
        ),
    }
)
STATUSES: Mapping[type[Exception], int] = MappingProxyType(
    {
        unreadable.InvalidResponseHeader: 500,  # the application's fault, not the client's
        unreadable.InvalidResponseHeaderName: 500,
        unreadable.ConfigurationProblem: 500,
        unreadable.InvalidHTTPVersion: 505,
        unreadable.UnsupportedTransferCoding: 501,
        unreadable.LimitRequestHeaders: 431,
        unreadable.ExpectationFailed: 417,
        unreadable.LimitRequestLine: 414,
        unreadable.ForbiddenProxyRequest: 403,
        unreadable.ParseException: 400,
    }
)
PAGE = (
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light dark"><title>{title}</title><main><h1>{title}</h1><p>{detail}</p>'
    '<p><a href="/">To the store</a></p><p><small>Request {request_id}</small></p></main></html>'
)
"""Like the edge's page: without a template or a stylesheet, because these may have failed."""


OVERLOAD = ProtocolRefusal(
    "overloaded",
    "Service Unavailable",
    "More requests arrive than the store can serve. Nothing was done. Try again in a moment.",
)


def status_of(error: BaseException) -> int:
    """Return the status for an error that the web server raised before or around the application."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def response_bytes(status: int, path: str, security_headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return a whole HTTP/1.1 response that closes the connection.

    Args:
        status: one of :data:`REFUSALS`.
        path: of the request, as far as it is known; URLs for programs get a problem document.
        security_headers: sent with every response.
    """
    request_id = correlation.new_request_id()
    return _response_bytes(status, REFUSALS[status], path, request_id, (("Connection", "close"), *security_headers))


def overload_response(
    path: str, request_id: str | None, security_headers: tuple[tuple[str, str], ...], *, closes: bool
) -> bytes:
    """Return a whole HTTP/1.1 response to a request that is refused because the store is overloaded.

    Args:
        path: of the request, as far as it is known.
        request_id: of the request; ``None`` for a new one.
        security_headers: sent with every response.
        closes: whether the connection is closed after it.
    """
    headers = (("Retry-After", str(DEFAULT_RETRY_AFTER_S)), *security_headers)
    if closes:
        headers = (("Connection", "close"), *headers)
    return _response_bytes(503, OVERLOAD, path, request_id or correlation.new_request_id(), headers)


def _response_bytes(
    status: int, refusal: ProtocolRefusal, path: str, request_id: str, more: tuple[tuple[str, str], ...]
) -> bytes:
    if path.startswith(MACHINE_PREFIXES):
        content_type = "application/problem+json"
        document = {
            "type": f"/problems/{refusal.kind}",
            "title": refusal.title,
            "status": status,
            "detail": refusal.detail,
            "instance": path,
            "request_id": request_id,
        }
        body = json.dumps(document)
    else:
        content_type = "text/html; charset=utf-8"
        body = PAGE.format(title=refusal.title, detail=html.escape(refusal.detail), request_id=request_id)
    headers = (
        ("Content-Type", content_type),
        ("Content-Length", str(len(body.encode()))),
        ("Cache-Control", NO_STORE),
        (correlation.REQUEST_ID_HEADER, request_id),
        *more,
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {refusal.title}\r\n{head}\r\n{body}".encode()
