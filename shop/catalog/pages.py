"""The catalogue's public pages. They are the same for everybody: nothing here touches the session."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, render_template, request

from shop.catalog import tags
from shop.catalog.listing import list_urls
from shop.catalog.listing.product_lister import ListQuery
from shop.catalog.listing.sorting import NEWEST, POPULARITY, PRICE_ASC, PRICE_DESC, RATING, RELEVANCE
from shop.catalog.negative_caching import cache_not_found
from shop.catalog.pictures.drawing import draw, drawing_version, picture_url, png_of
from shop.catalog.service import CatalogService
from shop.catalog.slugs import validate_slug
from shop.patterns.caching import CATALOGUE, REFERENCE, SEARCH, CacheableResponse
from shop.web.assets import KEEP
from shop.web.public_answers import HTML, publish

SVG = "image/svg+xml"
PNG = "image/png"
SORTS = (
    (RELEVANCE, "Best match"),
    (POPULARITY, "Most popular"),
    (PRICE_ASC, "Price, low to high"),
    (PRICE_DESC, "Price, high to low"),
    (RATING, "Best rated"),
    (NEWEST, "Newest"),
)


def create_pages(use: Callable[[], CatalogService]) -> Blueprint:
    """Build the catalogue's public pages.

    Args:
        use: returns the catalogue of the request being served.
    """
    pages = Blueprint("catalog", __name__, template_folder="templates")
    cache_not_found(pages)
    _add_home(pages, use)
    _add_lists(pages, use)
    _add_product(pages, use)
    _add_pictures(pages, use)
    return pages


def _add_home(pages: Blueprint, use: Callable[[], CatalogService]) -> None:
    @pages.get("/")
    def home() -> Response:
        catalog = use()

        def render() -> str:
            screen = json.loads(catalog.home_screen().value)
            return _render(catalog, "catalog/home.html", picture_url=picture_url, **screen)

        return _html(catalog.cached_page("home", [tags.HOME], render))


def _add_lists(pages: Blueprint, use: Callable[[], CatalogService]) -> None:
    @pages.get("/c/<slug>")
    def category(slug: str) -> Response:
        catalog = use()
        browse = list_urls.parse(request.args.to_dict(flat=False), validate_slug(slug))

        def render() -> str:
            return _category(catalog, browse, catalog.category_screen(browse))

        if not browse.is_cacheable:
            screen = catalog.category_screen(browse)
            return _html(replace(screen, value=_category(catalog, browse, screen).encode(), key=None))
        return _html(catalog.cached_page(f"category:{slug}:{browse.order.name}", [tags.category(slug)], render))

    @pages.get("/search")
    def search() -> Response:
        catalog = use()
        browse = list_urls.parse(request.args.to_dict(flat=False)).normalised()
        if not browse.q:
            asking = _render(catalog, "catalog/search.html", q="", suggested=catalog.suggestions())
            return _html(CacheableResponse(asking.encode(), SEARCH, catalog.effective_tags([tags.HOME])))
        found = catalog.listing(browse)
        listing = json.loads(found.value)
        suggested = [] if listing["items"] else catalog.suggestions()
        data = _around("/search", browse, listing)
        page = _render(catalog, "catalog/search.html", q=browse.q, listing=listing, suggested=suggested, **data)
        shown = [*found.tags, *([tags.HOME] if suggested else [])]
        return _html(replace(found, value=page.encode(), tags=catalog.effective_tags(shown), key=None))


def _add_product(pages: Blueprint, use: Callable[[], CatalogService]) -> None:
    @pages.get("/p/<slug>")
    def product(slug: str) -> Response:
        catalog = use()
        return _html(catalog.cached_product_page(slug, lambda template, data: _render(catalog, template, **data)))

    @pages.get("/p/<slug>/reviews")
    def reviews(slug: str) -> Response:
        catalog = use()
        product, rating, found = catalog.product_with_reviews(slug, request.args.get("cursor") or None)
        parts = {"reviews": found, "product": product, "rating": rating}
        data = {name: json.loads(part.value) for name, part in parts.items()}
        page = _render(catalog, "catalog/reviews.html", **data)
        return _html(CacheableResponse(page.encode(), found.policy, catalog.effective_tags(found.tags)))


def _add_pictures(pages: Blueprint, use: Callable[[], CatalogService]) -> None:
    @pages.get("/p/<slug>/preview.png")
    def preview(slug: str) -> Response:
        """Send the product's picture as link previews take it. Only of what is sold: each is drawn point by point."""
        found = use().product(slug)
        return publish(replace(found, value=png_of(json.loads(found.value)["picture"]), key=None), PNG)

    @pages.get("/pictures/<motif>/<slug>.svg", defaults={"version": ""})
    @pages.get("/pictures/<version>/<motif>/<slug>.svg")
    def picture(version: str, motif: str, slug: str) -> Response:
        """Draw a picture from its address alone: nothing ends it but code that draws another way."""
        is_current = version == drawing_version()
        response = publish(CacheableResponse(draw(motif, slug).encode(), REFERENCE if is_current else CATALOGUE), SVG)
        if is_current:
            response.headers["Cache-Control"] = KEEP
        return response


def _around(path: str, browse: ListQuery, listing: dict[str, Any]) -> dict[str, Any]:
    """Return what stands around a list: filters in force, sorts, and the pages beside it."""

    def beside(cursor: str | None) -> str:
        return list_urls.build_url(path, replace(browse, cursor=cursor)) if cursor else ""

    return {
        "path": path,
        "browse": browse,
        "chosen": list_urls.active_filters(path, browse),
        "unfiltered": list_urls.build_url(path, ListQuery(q=browse.q, sort=browse.sort)),
        "sort": browse.order.name,
        "sorts": [sort for sort in SORTS if browse.q or sort[0] != RELEVANCE],
        "price_value": list_urls.price_value,
        "price_words": list_urls.price_words,
        "next_url": beside(listing["next_cursor"]),
        "prev_url": beside(listing["prev_cursor"]),
    }


def _render(catalog: CatalogService, template: str, **data: Any) -> str:
    return render_template(template, nav=catalog.departments(), **data)


def _category(catalog: CatalogService, browse: ListQuery, found: CacheableResponse) -> str:
    screen = json.loads(found.value)
    around = _around(f"/c/{browse.category}", browse, screen["listing"])
    return _render(catalog, "catalog/category.html", **screen, **around)


def _html(found: CacheableResponse) -> Response:
    return publish(found, HTML)
