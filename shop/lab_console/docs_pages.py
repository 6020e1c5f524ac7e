"""The pages below ``/docs``: the documentation site that ``make docs`` has built, else how to build it.

Registered in the lab profile only.
"""

from pathlib import Path

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue

from shop.web.assets import send_file
from shop.web.http_caching import REVALIDATE
from shop.web.private_response import NO_STORE_HEADERS

INDEX = "index.html"
NOT_FOUND = 404


def site_folder(var_dir: Path) -> Path:
    """Return the folder that ``make docs`` writes; it may appear, change or disappear at any time."""
    return var_dir / "docs"


def is_built(site: Path) -> bool:
    """Return whether the folder has a site."""
    return (site / INDEX).is_file()


def create_docs_pages(site: Path) -> Blueprint:
    """Build the routes.

    Args:
        site: see :func:`site_folder`.
    """
    pages = Blueprint("docs", __name__, url_prefix="/docs", template_folder="templates")

    @pages.get("", strict_slashes=False)
    def index() -> ResponseReturnValue:
        if not is_built(site):
            return render_template("lab/docs.html"), NO_STORE_HEADERS
        return redirect(f"/docs/{INDEX}"), NO_STORE_HEADERS

    @pages.get("/<path:name>")
    def file(name: str) -> ResponseReturnValue:
        if not is_built(site):
            return render_template("lab/docs.html"), NOT_FOUND, NO_STORE_HEADERS
        response = send_file(site, name)
        response.headers["Cache-Control"] = REVALIDATE
        return response

    return pages
