"""What the provider's answers look like: JSON, and where it refuses, a code a program can read."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify


def respond(status: int, body: Mapping[str, Any]) -> Response:
    """Build an answer."""
    response = jsonify(body)
    response.status_code = status
    return response


def refuse(status: int, code: str, **more: object) -> Response:
    """Build a refusal."""
    return respond(status, {**error_body(code), **more})


def error_body(code: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"error": code}
