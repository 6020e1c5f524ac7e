"""What all answers and fields of the accounts have in common."""

from flask import Response
from pydantic import JsonValue

PRIVATE = "private, no-store"
"""What is said to one person must not be kept by anything on its way to her."""
STORABLE: dict[str, JsonValue] = {"pattern": r"^[^\x00]*$"}
"""Documented, not checked here: a NUL anywhere in a request is refused before it gets this far."""


def keep_private(response: Response) -> Response:
    """Let nobody but the browser that asked keep the answer, and not even that one for later."""
    response.headers["Cache-Control"] = PRIVATE
    return response
