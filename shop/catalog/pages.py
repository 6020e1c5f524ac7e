"""The catalogue's pages. Public ones are the same for everybody: they never touch the session."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, render_template

from shop.catalog import tags
from shop.catalog.pictures import draw
from shop.catalog.service import Catalog
from shop.catalog.slugs import checked

REVALIDATE = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"


def create_pages(use: Callable[[], Catalog]) -> Blueprint:
    """Build the catalogue's public pages.

    Args:
        use: returns the catalogue of the request being served.
    """
    pages = Blueprint("catalog", __name__, template_folder="templates")
    _add_product(pages, use)
    _add_pictures(pages)
    return pages


def _add_product(pages: Blueprint, use: Callable[[], Catalog]) -> None:
    @pages.get("/p/<slug>")
    def product(slug: str) -> Response:
        catalog, name = use(), checked(slug)
        filling = catalog.product_page

        def render() -> str:
            return _render(catalog, filling.template, **filling.data(catalog, name))

        return _html(catalog.page(f"product:{filling.name}:{name}", [tags.product(name)], render))


def _add_pictures(pages: Blueprint) -> None:
    @pages.get("/pictures/<motif>/<slug>.svg")
    def picture(motif: str, slug: str) -> Response:
        response = Response(draw(motif, slug), mimetype="image/svg+xml")
        response.headers["Cache-Control"] = FOR_EVER
        return response


def _render(catalog: Catalog, template: str, **data: Any) -> str:
    return render_template(template, nav=catalog.departments(), **data)


def _html(body: bytes) -> Response:
    response = Response(body, mimetype="text/html")
    response.headers["Cache-Control"] = REVALIDATE
    return response
