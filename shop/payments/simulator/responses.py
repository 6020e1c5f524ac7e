"""The provider's JSON responses; a refusal has a machine-readable code."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify


def respond(status: int, body: Mapping[str, Any]) -> Response:
    """Build a response."""
    response = jsonify(body)
    response.status_code = status
    return response


def refuse(status: int, code: str, **more: object) -> Response:
    """Build a refusal."""
    return respond(status, {**error_body(code), **more})


def error_body(code: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"error": code}
