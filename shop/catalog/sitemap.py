"""The parts of the sitemap: the product pages of each part, and the times of their last changes.

Problem: a sitemap holds at most 50,000 URLs. Parts by offset shift by one at each withdrawal, so a crawler that reads
them over hours misses some pages. And a crawler stops trusting a date that moves without a change of the page.
Method: a part holds the products whose ids are in one range of :data:`SITEMAP_PART`. A product never changes its part,
and a part is one range of the primary key's index. A trigger updates ``products.updated_at`` when the content of the
page changes: words, price, category, slug, reviews, withdrawal. A change of stock, or a write without a change, does
not update it. The latest change of a part, withdrawn products included, is the first entry of the part in an index. A
loose index scan finds the parts.
Source: sitemaps.org, "Sitemaps XML format" and "Using Sitemap index files"; PostgreSQL wiki, "Loose indexscan".
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shop.catalog.models import OFFERED, SITEMAP_PART, Product
from shop.errors import NotFound

MAX_PARTS = 10**9
"""No store needs that many; ids have 64 bits."""
NO_PART = "There is no such part of the sitemap."
_PART = f"(id - 1) / {SITEMAP_PART}"
_LATEST = f"SELECT {_PART} AS part, updated_at FROM products"  # noqa: S608 - the size is a constant
_FIRST = f"ORDER BY {_PART}, updated_at DESC LIMIT 1"
PARTS = text(f"""
    WITH RECURSIVE parts AS (
        ({_LATEST} {_FIRST})
        UNION ALL
        SELECT following.part, following.updated_at
        FROM parts CROSS JOIN LATERAL ({_LATEST} WHERE {_PART} > parts.part {_FIRST}) AS following
    )
    SELECT part + 1 AS number, updated_at FROM parts
    WHERE EXISTS (
        SELECT FROM products
        WHERE id > part * {SITEMAP_PART} AND id <= (part + 1) * {SITEMAP_PART} AND withdrawn_at IS NULL
    )
    ORDER BY number
""")  # noqa: S608 - the size is a constant


@dataclass(frozen=True, slots=True)
class SitemapPart:
    """A part with at least one product on sale; the first part has number 1."""

    number: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SitemapPage:
    """The page of a product."""

    slug: str
    changed_at: datetime


def list_parts(session: Session) -> list[SitemapPart]:
    """Return the parts in order; one query, which reads a few index entries for each part."""
    return [SitemapPart(*row) for row in session.execute(PARTS)]


def list_pages(session: Session, number: int) -> list[SitemapPage]:
    """Return the product pages of one part.

    Raises:
        NotFound: the part has no product on sale.
    """
    if number > MAX_PARTS:
        raise NotFound(NO_PART)
    ids = Product.id.between((number - 1) * SITEMAP_PART + 1, number * SITEMAP_PART)
    rows = session.execute(select(Product.slug, Product.updated_at).where(ids, OFFERED).order_by(Product.id))
    pages = [SitemapPage(*row) for row in rows]
    if not pages:
        raise NotFound(NO_PART)
    return pages
