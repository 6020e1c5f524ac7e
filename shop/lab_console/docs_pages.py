"""The page ``/docs``: the documentation site that ``make docs`` has built. Registered in the lab profile only."""

from pathlib import Path

from flask import Blueprint, Response, redirect, render_template
from flask.typing import ResponseReturnValue

from shop.web.assets import send_file
from shop.web.http_caching import REVALIDATE
from shop.web.private_response import NO_STORE_HEADERS

INDEX = "index.html"


def create_docs_pages(site: Path) -> Blueprint:
    """Build the routes.

    Args:
        site: the folder that ``make docs`` writes; it may appear, change or disappear at any time.
    """
    pages = Blueprint("docs", __name__, url_prefix="/docs", template_folder="templates")

    @pages.get("", strict_slashes=False)
    def index() -> ResponseReturnValue:
        if not (site / INDEX).is_file():
            return render_template("lab/docs.html"), NO_STORE_HEADERS
        return redirect(f"/docs/{INDEX}"), NO_STORE_HEADERS

    @pages.get("/<path:name>")
    def file(name: str) -> Response:
        response = send_file(site, name)
        response.headers["Cache-Control"] = REVALIDATE
        return response

    return pages
