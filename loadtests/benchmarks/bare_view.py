"""The other side of ``warm_screen.py``: Flask views that only return the same bytes."""

import os
from pathlib import Path

import redis
from flask import Flask, Response

FOLDER_VARIABLE = "BARE_VIEW_FOLDER"
CACHE_VARIABLE = "BARE_VIEW_CACHE"
KEY = "bare:page"


def create_app() -> Flask:
    """Build the application; environment variables name the folder of the bytes and the address of Valkey."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    screen, page = (folder / "screen").read_bytes(), (folder / "page").read_bytes()
    cache = redis.Redis.from_url(os.environ[CACHE_VARIABLE])
    cache.set(KEY, page)
    app = Flask(__name__)

    @app.get("/screen/<slug>")
    def screen_view(slug: str) -> Response:
        return Response(screen, mimetype="application/json")

    @app.get("/page/<slug>")
    def page_view(slug: str) -> Response:
        return Response(page, mimetype="text/html")

    @app.get("/shared/<slug>")
    def valkey_view(slug: str) -> Response:
        return Response(cache.get(KEY), mimetype="text/html")

    return app
