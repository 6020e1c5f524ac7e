"""The files for crawlers of search engines: ``/robots.txt`` and ``/sitemap.xml``."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import escape

from flask import Blueprint, Response

from shop.catalog import tags
from shop.catalog.cards import category_url, product_url
from shop.catalog.negative_caching import cache_not_found
from shop.catalog.service import CatalogService
from shop.patterns.caching import REFERENCE, CacheableResponse
from shop.web.public_answers import publish

SitemapEntry = tuple[str, datetime | None]
"""A path, and the time of the page's last change, if it is known."""

PRODUCT_TAGS = (tags.HOME, tags.CATALOGUE)
"""Every change of a product ends what has the first; a list of all products changes with each of them."""
CATEGORY_TAGS = (tags.CATEGORIES, tags.CATALOGUE)
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
"""Pages of one person or of the staff, and pages with an unbounded number of URLs."""


def create_crawler_pages(get_service: Callable[[], CatalogService], address: str) -> Blueprint:
    """Build the routes of the files.

    Args:
        get_service: returns the current request's catalogue service.
        address: the store's public origin; RFC 9309 and sitemaps.org require absolute URLs.
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
        """List the parts: part 0 has the home page and the categories, the other parts have products."""
        products = ((f"/sitemap-{part.number}.xml", part.changed_at) for part in get_service().sitemap_parts())
        return _sitemap("sitemapindex", "sitemap", address, (("/sitemap-0.xml", None), *products), PRODUCT_TAGS)

    @pages.get("/sitemap-<int:number>.xml")
    def part(number: int) -> Response:
        if number == 0:  # pages whose last change is unknown: a list changes with each of its products
            listed = [node for top in get_service().departments() for node in (top, *top["children"])]
            paths = ("/", "/departments", *(category_url(node["slug"]) for node in listed))
            return _sitemap("urlset", "url", address, ((path, None) for path in paths), CATEGORY_TAGS)
        pages = ((product_url(page.slug), page.changed_at) for page in get_service().sitemap_part(number))
        return _sitemap("urlset", "url", address, pages, PRODUCT_TAGS)

    return pages


def _sitemap(
    root: str, element: str, address: str, listed: Iterable[SitemapEntry], sitemap_tags: tuple[str, ...]
) -> Response:
    lines = []
    for path, changed_at in listed:
        time = changed_at and changed_at.astimezone(UTC).isoformat(timespec="seconds")  # W3C date and time
        lastmod = f"<lastmod>{time}</lastmod>" if time else ""
        lines.append(f"<{element}><loc>{escape(address + path)}</loc>{lastmod}</{element}>")
    entries = "\n".join(lines)
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">\n{entries}\n</{root}>\n'
    return publish(CacheableResponse(document.encode(), REFERENCE, sitemap_tags), XML)
