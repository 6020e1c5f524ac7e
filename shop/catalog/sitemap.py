"""The sitemap's parts: which products stand in which, and when their pages last changed.

Problem: a sitemap holds at most 50,000 addresses, and pages by offset shift by one whenever something is withdrawn, so
a crawler that reads them over hours misses some. And a crawler stops trusting dates that move without a change.
Method: a part holds the products whose ids lie in one range of :data:`SITEMAP_PART`. A product never changes its part,
and a part is one read of the primary key's index. A trigger moves ``products.updated_at`` when what the page shows
changes: words, price, category, slug, reviews, whether it is sold; not with the stock, and not where a write changes
nothing. The latest of a part, withdrawn products included, is the first entry of an index, and the parts are found by
hopping along that index.
Source: sitemaps.org, "Sitemaps XML format" and "Using Sitemap index files"; PostgreSQL wiki, "Loose indexscan".
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shop.catalog.models import OFFERED, SITEMAP_PART, Product
from shop.errors import NotFound

MOST_PARTS = 10**9
"""Far more than there will be; ids are 64 bits."""
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
    """A part that lists a product that is sold; the first is number 1."""

    number: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SitemapPage:
    """A product's page."""

    slug: str
    changed_at: datetime


def parts(session: Session) -> list[SitemapPart]:
    """Return the parts in order; one query, some index entries a part."""
    return [SitemapPart(*row) for row in session.execute(PARTS)]


def part(session: Session, number: int) -> list[SitemapPage]:
    """Return the products of one part.

    Raises:
        NotFound: none is sold in it.
    """
    if number > MOST_PARTS:
        raise NotFound(NO_PART)
    ids = Product.id.between((number - 1) * SITEMAP_PART + 1, number * SITEMAP_PART)
    rows = session.execute(select(Product.slug, Product.updated_at).where(ids, OFFERED).order_by(Product.id))
    pages = [SitemapPage(*row) for row in rows]
    if not pages:
        raise NotFound(NO_PART)
    return pages
