"""What search engines read before they come: ``/robots.txt`` and ``/sitemap.xml``."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import escape

from flask import Blueprint, Response

from shop.catalog.cards import category_url, product_url
from shop.catalog.negative_caching import cache_not_found
from shop.catalog.service import CatalogService
from shop.patterns.caching import REFERENCE, CacheableResponse
from shop.web.public_answers import publish

Place = tuple[str, datetime | None]
"""A path, and when what it shows last changed, where that is known."""

TEXT = "text/plain; charset=utf-8"
XML = "application/xml"
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
NOT_FOR_CRAWLERS = (
    "/account",
    "/admin",
    "/api/v1/",
    "/cart",
    "/checkout",
    "/forgotten",
    "/lab",
    "/login",
    "/logout",
    "/orders",
    "/register",
    "/reset",
    "/search",
    "/webhooks/",
)
"""One person's, the staff's, or a query of its own for each of endlessly many addresses."""


def create_crawler_pages(use: Callable[[], CatalogService], address: str) -> Blueprint:
    """Build the files.

    Args:
        use: returns the catalogue of the request being served.
        address: where shoppers find the store; RFC 9309 and sitemaps.org want whole addresses.
    """
    pages = Blueprint("crawlers", __name__)
    cache_not_found(pages)

    @pages.get("/robots.txt")
    def robots() -> Response:
        lines = ["User-agent: *", *(f"Disallow: {path}" for path in NOT_FOR_CRAWLERS)]
        return publish(
            CacheableResponse("\n".join([*lines, "", f"Sitemap: {address}/sitemap.xml", ""]).encode(), REFERENCE), TEXT
        )

    @pages.get("/sitemap.xml")
    def index() -> Response:
        """List the parts: 0 is the home page and the categories, the others are products."""
        products = ((f"/sitemap-{part.number}.xml", part.changed_at) for part in use().sitemap_parts())
        return _listing("sitemapindex", "sitemap", address, (("/sitemap-0.xml", None), *products))

    @pages.get("/sitemap-<int:number>.xml")
    def part(number: int) -> Response:
        catalog = use()
        return _listing("urlset", "url", address, _products(catalog, number) if number else _shelves(catalog))

    return pages


def _shelves(catalog: CatalogService) -> Iterable[Place]:
    """List the pages of which no time of their last change is known: a list changes with each product in it."""
    yield from (("/", None), ("/departments", None))
    for department in catalog.departments():
        for shelf in (department, *department["children"]):
            yield category_url(shelf["slug"]), None


def _products(catalog: CatalogService, number: int) -> Iterable[Place]:
    return ((product_url(page.slug), page.changed_at) for page in catalog.sitemap_part(number))


def _listing(root: str, entry: str, address: str, places: Iterable[Place]) -> Response:
    entries = "\n".join(
        f"<{entry}><loc>{escape(address + path)}</loc>{_lastmod(changed_at)}</{entry}>" for path, changed_at in places
    )
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">\n{entries}\n</{root}>\n'
    return publish(CacheableResponse(document.encode(), REFERENCE), XML)


def _lastmod(changed_at: datetime | None) -> str:
    """Write a time as sitemaps.org wants it (W3C date and time)."""
    if changed_at is None:
        return ""
    return f"<lastmod>{changed_at.astimezone(UTC).isoformat(timespec='seconds')}</lastmod>"
