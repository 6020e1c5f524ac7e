"""What every answer forbids the browser to do, and what no request may bring along."""

from typing import Any

from flask import Flask, Response, json, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from shop import errors
from shop.web.problems import API_PREFIX

MAX_BODY_BYTES = 256 * 1024
"""The largest form or JSON anybody has reason to send is a few kilobytes."""
MAX_FORM_PARTS = 200
HSTS_S = 365 * 24 * 3600
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self' data:"
)
"""Nothing from elsewhere, nothing inline: what an attacker manages to write into a page does not run."""
HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def install(app: Flask, *, https_only: bool) -> None:
    """Guard every request and every answer of the app.

    Args:
        app: the application.
        https_only: whether browsers are told to come back by HTTPS alone (the production profile).
    """
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    strict = [("Strict-Transport-Security", f"max-age={HSTS_S}; includeSubDomains")] if https_only else []
    headers = [*HEADERS, *strict, ("Content-Security-Policy", POLICY)]

    def guard(response: Response) -> Response:
        response.headers.extend(headers)
        return response

    app.before_request(check_readable)
    app.after_request(guard)


def check_readable() -> None:
    """Refuse a request that cannot be read, before anything looks at its fields.

    Raises:
        Malformed: a NUL character somewhere, or a JSON body that is none.
        UnsupportedMediaType: an API call with a body that is not JSON.
    """
    if "%00" in request.query_string.decode("latin-1") or "\0" in request.path:
        raise errors.Malformed("The address contains a NUL character, which no text has.")
    if request.method in _BODY_METHODS and request.path.startswith(API_PREFIX):
        _check_json()


def _check_json() -> None:
    body = request.get_data(cache=True)  # past the limit this raises 413
    if not body:
        return
    if not request.is_json:
        raise errors.UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
    try:
        read: Any = request.get_json()
    except (BadRequest, UnsupportedMediaType):
        raise errors.Malformed("The body is not well-formed JSON.") from None
    if b"\\u0000" in body and "\0" in json.dumps(read, ensure_ascii=False).replace("\\u0000", "\0"):
        raise errors.Malformed("The body contains a NUL character, which no text has.")
