"""What every answer forbids the browser to do, and what no request may bring along."""

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
"""The largest form or JSON anybody has reason to send is a few kilobytes."""
MAX_FORM_PARTS = 200
HSTS_S = 365 * 24 * 3600
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self' data:"
)
"""Nothing from elsewhere, nothing inline: what an attacker manages to write into a page does not run."""
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Content-Security-Policy", POLICY),
)
HTTPS_ONLY = ("Strict-Transport-Security", f"max-age={HSTS_S}")
"""RFC 6797. Not for subdomains: what else runs under the domain is not the store's to decide."""
ESCAPED = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)
"""The only spellings in which JSON can bring along what :data:`NO_TEXT` finds."""
NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""A NUL, or a surrogate without its other half: Python reads them, and neither PostgreSQL nor a hash takes them."""
CONTROL = re.compile("[\0-\x1f\x7f]|\xc2[\x80-\x9f]")
"""A control character in a path, whose bytes WSGI gives as Latin-1 (PEP 3333); the edge refuses the same."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""


def install(app: Flask, hosts: HostNames) -> None:
    """Check every request of the app before anything looks at its fields.

    Args:
        app: the application.
        hosts: what the store is called.
    """
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    app.before_request(lambda: hosts.check(request.environ))
    app.before_request(check)


def install_body_check(app: Flask) -> None:
    """Check the JSON body of every API call; install it behind the question who may call (:mod:`shop.web.access`)."""
    app.before_request(check_body)


def headers(*, https_only: bool) -> tuple[tuple[str, str], ...]:
    """Return what is sent with every answer.

    Args:
        https_only: whether browsers are told to come back by HTTPS alone (the production profile).
    """
    return (*HEADERS, HTTPS_ONLY) if https_only else HEADERS


def check() -> None:
    """Refuse the request being served if it cannot be read or was started by another site's page.

    Raises:
        BadRequest: a NUL or a control character in the address, or a body that ends too early.
        CrossOrigin: a write from another site's page.
        RequestEntityTooLarge: a body without a declared length is larger than the store takes.
    """
    environ = request.environ
    if "HTTP_TRANSFER_ENCODING" in environ:
        _read_undeclared(environ)
    if "%00" in environ["QUERY_STRING"]:
        raise errors.BadRequest("The address contains a NUL character, which no text has.")
    if CONTROL.search(environ["PATH_INFO"]):
        raise errors.BadRequest("The address contains a control character, which no address of the store has.")
    if environ["REQUEST_METHOD"] not in SAFE_METHODS:
        csrf.check()


def check_body() -> None:
    """Refuse the API call being served if it writes with a body that is not JSON.

    Raises:
        BadRequest: it is not well-formed, not UTF-8, or holds what no text has.
        UnsupportedMediaType: it does not claim to be JSON.
        RequestEntityTooLarge: it is larger than the store takes.
    """
    if request.method not in SAFE_METHODS and request.path.startswith(API_PREFIX):
        _check_json()


def _read_undeclared(environ: "WSGIEnvironment") -> None:
    """Read a body that comes in chunks, as one of a declared length: Werkzeug would cut it off at the limit, silently.

    The edge has done the same before; without it this is where such a body ends.
    """
    try:
        body = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
    except (OSError, ParseException):  # the client has gone, or its chunks make no sense
        raise errors.BadRequest("The body could not be read to its end.") from None
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    del environ["HTTP_TRANSFER_ENCODING"]
    environ["CONTENT_LENGTH"], environ["wsgi.input"] = str(len(body)), BytesIO(body)


def _check_json() -> None:
    body = request.get_data(cache=True)  # past the limit this raises 413
    if not body:
        return
    if not request.is_json:
        raise errors.UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
    _check_utf8(body)
    try:
        read: Any = request.get_json()
        has_no_text = ESCAPED.search(body) is not None and _has_no_text(read)
    except (BadRequest, UnsupportedMediaType, RecursionError):  # what nests too deep for the parser, or for us
        raise errors.BadRequest("The body is not well-formed JSON.") from None
    if has_no_text:
        raise errors.BadRequest("The body contains a NUL or half a character, which no text has.")


def _check_utf8(body: bytes) -> None:
    """Refuse what is not UTF-8, the only encoding of JSON between systems (RFC 8259, 8.1).

    Python's parser also takes UTF-16 and UTF-32, which it knows by their NUL bytes, and surrogates as they are.
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        raise errors.BadRequest("The body is not UTF-8, in which JSON is sent.") from None
    if b"\0" in body:
        raise errors.BadRequest("The body contains a NUL byte: send JSON as UTF-8.")


def _has_no_text(value: Any) -> bool:
    if isinstance(value, str):
        return NO_TEXT.search(value) is not None
    if isinstance(value, dict):
        return any(_has_no_text(name) or _has_no_text(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(_has_no_text, value))
