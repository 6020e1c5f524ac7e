"""The Cache-Control header of private responses, for every blueprint that answers one person."""

from flask import Response

PRIVATE = "private, no-store"
"""Neither a shared cache nor the browser stores the response (RFC 9111, 5.2.2.5 and 5.2.2.7)."""


def keep_private(response: Response) -> Response:
    """Forbid every cache to store the response; register it with ``after_request``."""
    response.headers["Cache-Control"] = PRIVATE
    return response
