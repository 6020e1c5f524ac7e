"""What search engines read before they come: ``/robots.txt`` and ``/sitemap.xml``."""

from collections.abc import Callable, Iterable
from xml.sax.saxutils import escape

from flask import Blueprint, Response

from shop.catalog.absences import keep_absences
from shop.catalog.cards import category_url, product_url
from shop.catalog.service import Catalog
from shop.patterns.caching import REFERENCE, Found
from shop.web.public import publish

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


def create_crawler_pages(use: Callable[[], Catalog], address: str) -> Blueprint:
    """Build the files.

    Args:
        use: returns the catalogue of the request being served.
        address: where shoppers find the store; RFC 9309 and sitemaps.org want whole addresses.
    """
    pages = Blueprint("crawlers", __name__)
    keep_absences(pages)

    @pages.get("/robots.txt")
    def robots() -> Response:
        lines = ["User-agent: *", *(f"Disallow: {path}" for path in NOT_FOR_CRAWLERS)]
        return publish(Found("\n".join([*lines, "", f"Sitemap: {address}/sitemap.xml", ""]).encode(), REFERENCE), TEXT)

    @pages.get("/sitemap.xml")
    def index() -> Response:
        """List the parts: 0 is the home page and the categories, the others are products."""
        parts = (f"/sitemap-{number}.xml" for number in (0, *use().sitemap_parts()))
        return _listing("sitemapindex", "sitemap", (address + path for path in parts))

    @pages.get("/sitemap-<int:number>.xml")
    def part(number: int) -> Response:
        catalog = use()
        paths = map(product_url, catalog.sitemap_part(number)) if number else _shelves(catalog)
        return _listing("urlset", "url", (address + path for path in paths))

    return pages


def _shelves(catalog: Catalog) -> Iterable[str]:
    yield from ("/", "/departments")
    for department in catalog.departments():
        for shelf in (department, *department["children"]):
            yield category_url(shelf["slug"])


def _listing(root: str, entry: str, addresses: Iterable[str]) -> Response:
    entries = "\n".join(f"<{entry}><loc>{escape(one)}</loc></{entry}>" for one in addresses)
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">\n{entries}\n</{root}>\n'
    return publish(Found(document.encode(), REFERENCE), XML)
