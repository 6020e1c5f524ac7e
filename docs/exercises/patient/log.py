"""The log: one JSON line for each event."""

import json
from typing import Any

from flask import Flask, Response, current_app, request


def write(event: str, **fields: Any) -> None:
    """Write one line."""
    line = {"event": event, **fields}
    current_app.config["LOG"].write(json.dumps(line) + "\n")


def install(app: Flask) -> None:
    """Write a line for each request."""

    @app.before_request
    def begin() -> None:
        write("request_begins", method=request.method, path=request.path)

    @app.after_request
    def end(response: Response) -> Response:
        write("request_ends", path=request.path, status=response.status_code)
        return response
