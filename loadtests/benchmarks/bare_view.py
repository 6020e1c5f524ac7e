"""The other side of ``warm_screen.py``: a Flask view that returns the same bytes and does nothing else."""

import os
from pathlib import Path

from flask import Flask, Response

BODY_VARIABLE = "BARE_VIEW_BODY"


def create_app() -> Flask:
    """Build the application; the environment says in which file the bytes are."""
    body = Path(os.environ[BODY_VARIABLE]).read_bytes()
    app = Flask(__name__)

    @app.get("/api/v1/screens/product/<slug>")
    def screen(slug: str) -> Response:
        return Response(body, mimetype="application/json")

    return app
