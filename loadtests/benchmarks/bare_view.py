"""The other side of ``warm_screen.py``: Flask views that return the same bytes and do nothing else."""

import os
from pathlib import Path

import redis
from flask import Flask, Response

FOLDER_VARIABLE = "BARE_VIEW_FOLDER"
CACHE_VARIABLE = "BARE_VIEW_CACHE"
KEY = "bare:page"


def create_app() -> Flask:
    """Build the application; the environment says in which folder the bytes are, and where Valkey is."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    screen, page = (folder / "screen").read_bytes(), (folder / "page").read_bytes()
    cache = redis.Redis.from_url(os.environ[CACHE_VARIABLE])
    cache.set(KEY, page)
    app = Flask(__name__)

    @app.get("/screen/<slug>")
    def of_screen(slug: str) -> Response:
        return Response(screen, mimetype="application/json")

    @app.get("/page/<slug>")
    def of_page(slug: str) -> Response:
        return Response(page, mimetype="text/html")

    @app.get("/shared/<slug>")
    def from_valkey(slug: str) -> Response:
        return Response(cache.get(KEY), mimetype="text/html")

    return app
