"""The sitemap's parts: which products stand in which.

Problem: a sitemap holds at most 50,000 addresses, and pages by offset shift by one whenever something is withdrawn, so
a crawler that reads them over hours misses some.
Method: a part holds the products whose ids lie in one range of :data:`PART`. A product never changes its part, and a
part is one read of the primary key's index.
Source: sitemaps.org, "Sitemaps XML format" and "Using Sitemap index files".
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.catalog.models import OFFERED, Product
from shop.errors import NotFound

PART = 10_000
"""Ids a part covers; about a megabyte."""
MOST_PARTS = 10**9
"""Far more than there will be; ids are 64 bits."""
NO_PART = "There is no such part of the sitemap."


def parts(session: Session) -> list[int]:
    """Return the numbers of the parts that list a product that is sold; the first is 1."""
    number = (Product.id - 1) // PART + 1
    return sorted(session.scalars(select(number).where(OFFERED).distinct()))


def part(session: Session, number: int) -> list[str]:
    """Return the slugs of the products of one part.

    Raises:
        NotFound: none is sold in it.
    """
    if number > MOST_PARTS:
        raise NotFound(NO_PART)
    ids = Product.id.between((number - 1) * PART + 1, number * PART)
    slugs = list(session.scalars(select(Product.slug).where(ids, OFFERED).order_by(Product.id)))
    if not slugs:
        raise NotFound(NO_PART)
    return slugs
