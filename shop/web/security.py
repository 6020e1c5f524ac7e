"""Security headers of every response, and checks of every request: sizes, characters, origin, JSON."""

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from shop import errors
from shop.web import csrf
from shop.web.host_names import HostNames
from shop.web.problems import API_PREFIX

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY_BYTES = 256 * 1024
"""The largest form or JSON document that the store needs has a few kilobytes."""
MAX_FORM_PARTS = 200
HSTS_S = 365 * 24 * 3600
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self' data:"
)
"""Nothing from other sites, nothing inline: a script that an attacker writes into a page does not run."""
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Content-Security-Policy", POLICY),
)
HTTPS_ONLY = ("Strict-Transport-Security", f"max-age={HSTS_S}")
"""RFC 6797. Without subdomains: the store must not decide for other servers of the domain."""
ESCAPED = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)
"""The only JSON escapes of the characters that :data:`NOT_STORABLE` matches."""
NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
"""A NUL, or a surrogate without its other half. Python accepts them; PostgreSQL and hash functions do not."""
CONTROL = re.compile("[\0-\x1f\x7f]|\xc2[\x80-\x9f]")
"""A control character in a path, whose bytes WSGI decodes as Latin-1 (PEP 3333); the edge refuses the same."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""


def install(app: Flask, hosts: HostNames) -> None:
    """Check every request of the app before its fields are read.

    Args:
        app: the application.
        hosts: the host names of the store.
    """
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    app.before_request(lambda: hosts.check(request.environ))
    app.before_request(check)


def install_body_check(app: Flask) -> None:
    """Check the JSON body of every API call; install it after the access control (:mod:`shop.web.access_control`)."""
    app.before_request(check_body)


def headers(*, https_only: bool) -> tuple[tuple[str, str], ...]:
    """Return the headers of every response.

    Args:
        https_only: whether browsers must use HTTPS from now on (the production profile).
    """
    return (*HEADERS, HTTPS_ONLY) if https_only else HEADERS


def check() -> None:
    """Refuse the request being served if it cannot be read, or if another site's page started it.

    Raises:
        BadRequest: a NUL or a control character in the address, or a body that ends too early.
        CrossOrigin: a write from another site's page.
        RequestEntityTooLarge: a body without a declared length is larger than the store takes.
    """
    environ = request.environ
    if "HTTP_TRANSFER_ENCODING" in environ:
        _buffer_chunked_body(environ)
    if "%00" in environ["QUERY_STRING"]:
        raise errors.BadRequest("The address contains a NUL character, which no text has.")
    if CONTROL.search(environ["PATH_INFO"]):
        raise errors.BadRequest("The address contains a control character, which no address of the store has.")
    if environ["REQUEST_METHOD"] not in SAFE_METHODS:
        csrf.check()


def check_body() -> None:
    """Refuse the API call being served if it writes with a body that is not JSON.

    Raises:
        BadRequest: the body is not well-formed, not UTF-8, or contains a character that no text has.
        UnsupportedMediaType: its content type is not JSON.
        RequestEntityTooLarge: it is larger than the store takes.
    """
    if request.method in SAFE_METHODS or not request.path.startswith(API_PREFIX):
        return
    body = request.get_data(cache=True)  # beyond the limit this raises 413
    if not body:
        return
    if not request.is_json:
        raise errors.UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
    _require_utf8(body)
    try:
        document: Any = request.get_json()
        is_storable = ESCAPED.search(body) is None or _is_storable(document)
    except (BadRequest, UnsupportedMediaType, RecursionError):  # the parser or our own check: it nests too deep
        raise errors.BadRequest("The body is not well-formed JSON.") from None
    if not is_storable:
        raise errors.BadRequest("The body contains a NUL or half a character, which no text has.")


def _buffer_chunked_body(environ: "WSGIEnvironment") -> None:
    """Read a chunked body and declare its length: Werkzeug would silently cut it off at the limit.

    The edge does the same; this is for a store without an edge.
    """
    try:
        body = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
    except (OSError, ParseException):  # the client has disconnected, or its chunks are malformed
        raise errors.BadRequest("The body could not be read to its end.") from None
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    del environ["HTTP_TRANSFER_ENCODING"]
    environ["CONTENT_LENGTH"], environ["wsgi.input"] = str(len(body)), BytesIO(body)


def _require_utf8(body: bytes) -> None:
    """Refuse a body that is not UTF-8, the only encoding of JSON between systems (RFC 8259, 8.1).

    Python's parser also accepts UTF-16 and UTF-32, which it recognises by their NUL bytes, and unescaped surrogates.
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        raise errors.BadRequest("The body is not UTF-8, in which JSON is sent.") from None
    if b"\0" in body:
        raise errors.BadRequest("The body contains a NUL byte: send JSON as UTF-8.")


def _is_storable(value: Any) -> bool:
    """Return whether no text inside a JSON value contains a NUL or half a surrogate pair."""
    if isinstance(value, str):
        return NOT_STORABLE.search(value) is None
    if isinstance(value, dict):
        return all(_is_storable(name) and _is_storable(inner) for name, inner in value.items())
    return not isinstance(value, list) or all(map(_is_storable, value))
