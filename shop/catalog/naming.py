"""Which product a slug belongs to, for good: new ones are claimed, former ones lead on and are never another's.

Problem: an address of a product stands in mails, bookmarks and other people's pages. Renamed, it would lead nowhere, or
one day to another product.
Method: a product keeps every slug it ever had; each leads to the one it has now, in one step however many there were.
The slug's index decides between two who want the same new one, and a trigger refuses a former one.
Source: Berners-Lee, "Cool URIs don't change" (1998); RFC 9110, 15.4.2 (301).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop.catalog.models import FormerSlug, Product
from shop.errors import StateConflict


def rename(session: Session, product_id: int, slug: str) -> None:
    """Give a product another slug; the one it had leads to it from now on. It may take a former one of its own again.

    Raises:
        StateConflict: the slug is, or was, another product's.
    """
    before = session.execute(select(Product.slug).where(Product.id == product_id)).scalar_one()
    if slug == before:
        return
    session.execute(delete(FormerSlug).where(FormerSlug.slug == slug, FormerSlug.product_id == product_id))
    with claiming(session, slug):
        session.execute(update(Product).where(Product.id == product_id).values(slug=slug))
        session.add(FormerSlug(slug=before, product_id=product_id))
        session.flush()


@contextmanager
def claiming(session: Session, slug: str) -> Iterator[None]:
    """Let the block write a slug that is new to the store.

    Raises:
        StateConflict: the slug is, or was, another product's.
    """
    now = select(1).where(Product.slug == slug)
    before = select(1).where(FormerSlug.slug == slug)
    if session.scalar(select(or_(exists(now), exists(before)))):
        raise _taken(slug)
    try:
        with session.begin_nested():
            yield
    except IntegrityError as error:  # somebody was quicker
        raise _taken(slug) from error


def _taken(slug: str) -> StateConflict:
    said = f"The name {slug} is, or was, another product's: choose another one."
    return StateConflict(said, errors={"slug": "is, or was, another product's"})
