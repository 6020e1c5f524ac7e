"""The catalogue's public pages. A page is the same for every visitor, so no route reads the session."""

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
from shop.web.assets import IMMUTABLE
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


def create_pages(get_service: Callable[[], CatalogService]) -> Blueprint:
    """Build the catalogue's public pages.

    Args:
        get_service: returns the current request's catalogue service.
    """
    pages = Blueprint("catalog", __name__, template_folder="templates")
    cache_not_found(pages)
    _add_lists(pages, get_service)
    _add_pictures(pages, get_service)

    @pages.get("/")
    def home() -> Response:
        catalog = get_service()

        def render() -> str:
            screen = json.loads(catalog.home_screen().value)
            return _render(catalog, "catalog/home.html", picture_url=picture_url, **screen)

        return _html(catalog.cached_page("home", [tags.HOME], render))

    @pages.get("/p/<slug>")
    def product(slug: str) -> Response:
        catalog = get_service()
        return _html(catalog.cached_product_page(slug, lambda template, data: _render(catalog, template, **data)))

    @pages.get("/p/<slug>/reviews")
    def reviews(slug: str) -> Response:
        catalog = get_service()
        product, rating, review_page = catalog.product_with_reviews(slug, request.args.get("cursor") or None)
        parts = {"reviews": review_page, "product": product, "rating": rating}
        data = {name: json.loads(part.value) for name, part in parts.items()}
        page = _render(catalog, "catalog/reviews.html", **data)
        return _html(CacheableResponse(page.encode(), review_page.policy, catalog.effective_tags(review_page.tags)))

    return pages


def _add_lists(pages: Blueprint, get_service: Callable[[], CatalogService]) -> None:
    @pages.get("/c/<slug>")
    def category(slug: str) -> Response:
        catalog = get_service()
        list_query = list_urls.parse_arguments(request.args.to_dict(flat=False), validate_slug(slug))

        def render() -> str:
            return _render_category(catalog, list_query, catalog.category_screen(list_query))

        if not list_query.is_cacheable:
            screen = catalog.category_screen(list_query)
            return _html(replace(screen, value=_render_category(catalog, list_query, screen).encode(), key=None))
        return _html(catalog.cached_page(f"category:{slug}:{list_query.order.name}", [tags.category(slug)], render))

    @pages.get("/search")
    def search() -> Response:
        catalog = get_service()
        list_query = list_urls.parse_arguments(request.args.to_dict(flat=False)).normalised()
        if not list_query.q:
            html = _render(catalog, "catalog/search.html", q="", suggested=catalog.suggestions())
            return _html(CacheableResponse(html.encode(), SEARCH, catalog.effective_tags([tags.HOME])))
        response = catalog.listing(list_query)
        listing = json.loads(response.value)
        suggested = [] if listing["items"] else catalog.suggestions()
        data = _list_variables("/search", list_query, listing)
        page = _render(catalog, "catalog/search.html", q=list_query.q, listing=listing, suggested=suggested, **data)
        page_tags = [*response.tags, *([tags.HOME] if suggested else [])]
        return _html(replace(response, value=page.encode(), tags=catalog.effective_tags(page_tags), key=None))


def _add_pictures(pages: Blueprint, get_service: Callable[[], CatalogService]) -> None:
    @pages.get("/p/<slug>/preview.png")
    def preview(slug: str) -> Response:
        """Return the product's picture as PNG for link previews; only for products on sale, since rendering is slow."""
        response = get_service().product(slug)
        return publish(replace(response, value=png_of(json.loads(response.value)["picture"]), key=None), PNG)

    @pages.get("/pictures/<motif>/<slug>.svg", defaults={"version": ""})
    @pages.get("/pictures/<version>/<motif>/<slug>.svg")
    def picture(version: str, motif: str, slug: str) -> Response:
        """Draw a picture from its URL alone; only a change of the drawing code changes the picture."""
        is_current = version == drawing_version()
        response = publish(CacheableResponse(draw(motif, slug).encode(), REFERENCE if is_current else CATALOGUE), SVG)
        if is_current:
            response.headers["Cache-Control"] = IMMUTABLE
        return response


def _list_variables(path: str, list_query: ListQuery, listing: dict[str, Any]) -> dict[str, Any]:
    """Return the template variables around a list: active filters, sort orders, and URLs of neighbour pages."""

    def page_url(cursor: str | None) -> str:
        return list_urls.build_url(path, replace(list_query, cursor=cursor)) if cursor else ""

    return {
        "path": path,
        "list_query": list_query,
        "chosen": list_urls.active_filters(path, list_query),
        "unfiltered": list_urls.build_url(path, ListQuery(q=list_query.q, sort=list_query.sort)),
        "sort": list_query.order.name,
        "sorts": [sort for sort in SORTS if list_query.q or sort[0] != RELEVANCE],
        "price_value": list_urls.price_value,
        "price_words": list_urls.price_label,
        "next_url": page_url(listing["next_cursor"]),
        "prev_url": page_url(listing["prev_cursor"]),
    }


def _render(catalog: CatalogService, template: str, **data: Any) -> str:
    return render_template(template, nav=catalog.departments(), **data)


def _render_category(catalog: CatalogService, list_query: ListQuery, response: CacheableResponse) -> str:
    screen = json.loads(response.value)
    data = _list_variables(f"/c/{list_query.category}", list_query, screen["listing"])
    return _render(catalog, "catalog/category.html", **screen, **data)


def _html(response: CacheableResponse) -> Response:
    return publish(response, HTML)
