"""Error responses: a problem document (RFC 9457) for programs, an error page for people.

Only this module maps an error type to an HTTP status.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, json, make_response, render_template, request, url_for
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from shop import errors
from shop.patterns.observability import correlation
from shop.web.private_response import forbid_storing

STATUS: Mapping[type[errors.ShopError], int] = {
    errors.ProductRenamed: 301,
    errors.NotFound: 404,
    errors.ProductWithdrawn: 410,
    errors.BadRequest: 400,
    errors.UnsupportedMediaType: 415,
    errors.InvalidFields: 422,
    errors.AuthenticationRequired: 401,
    errors.BadCredentials: 401,
    errors.InvalidSignature: 401,
    errors.ForbiddenAction: 403,
    errors.CrossOrigin: 403,
    errors.StateConflict: 409,
    errors.OutOfStock: 409,
    errors.CartChanged: 409,
    errors.AlreadyPaid: 409,
    errors.PreconditionFailed: 412,
    errors.CardDeclined: 402,
    errors.MisdirectedRequest: 421,
    errors.TooManyRequests: 429,
    errors.ServiceUnavailable: 503,
    errors.DeadlinePassed: 503,
    errors.DatabaseReadOnly: 503,
    errors.ProviderUnavailable: 503,
}
API_PREFIX = "/api/"
MACHINE_PREFIXES = (API_PREFIX, "/webhooks/")
"""URLs that programs call; their errors are problem documents."""
DEFAULT_RETRY_AFTER_S = 2
"""A 503 always says when to come back (RFC 9110, 10.2.3)."""
PLAIN_WORDS: Mapping[int, str] = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
}
"""Messages in place of the router's own, which tell a shopper to check her typing."""
FIELD_MESSAGES: Mapping[str, str] = {
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "string_pattern_mismatch": "is not of the form this field has",
}
"""Messages by type of error, where the validator's own message names classes or quotes a regular expression."""
VALUE_ERROR_PREFIX = "Value error, "
"""Pydantic puts it before the message of a ``ValueError``."""

_log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Turn every error of the app into a problem document or an error page."""
    app.register_error_handler(errors.ShopError, error_response)
    app.register_error_handler(HTTPException, http_error_response)
    app.register_error_handler(Exception, unexpected_error_response)


def from_validation(error: ValidationError) -> Response:
    """Return a problem document with status 422 that names each invalid field once."""
    fields = {
        ".".join(map(str, field_error["loc"])) or "body": FIELD_MESSAGES.get(
            field_error["type"], field_error["msg"].removeprefix(VALUE_ERROR_PREFIX)
        )
        for field_error in error.errors()
    }
    return problem_document(422, "invalid", "Some fields are not right.", fields=fields)


def problem_document(
    status: int,
    kind: str,
    detail: str,
    *,
    fields: Mapping[str, str] | None = None,
    retry_after: int | None = None,
    extension: Mapping[str, object] | None = None,
) -> Response:
    """Build a problem document.

    Args:
        status: HTTP status.
        kind: the last part of the problem's ``type``; it is stable, so programs can compare it.
        detail: one sentence for a person.
        fields: messages by field name.
        retry_after: seconds to wait, sent as ``Retry-After``.
        extension: further members of the document (RFC 9457, 3.2).
    """
    body: dict[str, object] = {
        "type": f"/problems/{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": correlation.request_id.get(),
    }
    if fields:
        body["errors"] = dict(fields)
    body.update(extension or {})
    response = Response(json.dumps(body), status=status, mimetype="application/problem+json")
    return _finish(response, status, retry_after)


def error_page(status: int, detail: str, retry_after: int | None = None) -> Response:
    """Build an error page for people: without the menu if the menu's own data cannot be read."""
    title = HTTPStatus(status).phrase
    values = {"status": status, "title": title, "detail": detail, "id": correlation.request_id.get()}
    try:
        html = render_template("error.html", **values)
    except errors.ShopError:  # an exception here would turn a 404 into a 500
        html = render_template("error.html", **values, nav=[])
    return _finish(make_response(html, status), status, retry_after)


def _finish(response: Response, status: int, retry_after: int | None) -> Response:
    forbid_storing(response)
    if status == 503:
        response.headers["Retry-After"] = str(retry_after or DEFAULT_RETRY_AFTER_S)
    elif retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="shop"'
    return response


def _for_client(
    status: int, kind: str, detail: str, fields: Mapping[str, str] | None = None, retry_after: int | None = None
) -> Response:
    """Build the problem document or the error page, whichever the client of the request reads."""
    if request.path.startswith(MACHINE_PREFIXES):
        return problem_document(status, kind, detail, fields=fields, retry_after=retry_after)
    return error_page(status, detail, retry_after)


def error_response(error: errors.ShopError) -> Response:
    """Return the response to an error of the store; a renamed product is a redirect.

    A read is redirected by 301, a write by 308, which keeps method and body (RFC 9110, 15.4.2 and 15.4.9).
    """
    if isinstance(error, errors.ProductRenamed):
        url = url_for(str(request.endpoint), **{**(request.view_args or {}), "slug": error.slug})
        query = request.query_string.decode("latin-1")
        response = _for_client(301 if request.method in ("GET", "HEAD") else 308, error.problem, error.detail)
        response.headers["Location"] = f"{url}?{query}" if query else url
        return response
    status = next((STATUS[error_type] for error_type in type(error).__mro__ if error_type in STATUS), 500)
    return _for_client(status, error.problem, error.detail, error.errors, error.retry_after)


def http_error_response(error: HTTPException) -> Response:
    """Return the response to an error or redirect of the router, or of Flask's own checks."""
    status = error.code or 500
    if error.response is not None or status < 400:  # a validator built the response, or the router redirects
        return make_response(error.get_response())
    phrase = HTTPStatus(status).phrase
    kind = "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(phrase)).replace(" ", "")
    response = _for_client(status, kind, PLAIN_WORDS.get(status) or error.description or "")
    for name, value in error.get_headers():
        if name.lower() in ("allow", "location"):
            response.headers[name] = value
    return response


def unexpected_error_response(error: Exception) -> Response:
    """Log an unexpected exception and return status 500."""
    _log.exception("unexpected_error", exc_info=error)
    return _for_client(500, "internal-server-error", "Something broke on our side. We have logged it.")
