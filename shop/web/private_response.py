"""The ``Cache-Control`` header of responses that no cache may store: for one person, or true for one moment only.

Source: RFC 9111, 5.2.2.5 (no-store) and 5.2.2.7 (private).
"""

from flask import Response

from shop.web.http_caching import NO_STORE

PRIVATE = "private, no-store"
"""Neither a shared cache nor the browser stores the response."""
NO_STORE_HEADERS = {"Cache-Control": NO_STORE}


def keep_private(response: Response) -> Response:
    """Mark a response for one person, which no cache may store; register it with ``after_request``."""
    response.headers["Cache-Control"] = PRIVATE
    return response


def forbid_storing(response: Response) -> Response:
    """Mark a response that no cache may store, and return it."""
    response.headers["Cache-Control"] = NO_STORE
    return response
