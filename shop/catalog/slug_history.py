"""Slug history: a former slug of a product redirects to its current slug, and no other product can take it.

Problem: mails, bookmarks and other sites link to a product's URL. After a rename the link would be broken, or lead to
another product one day.
Method: a product keeps all its former slugs; each redirects to the current one in a single step. If two writers claim
the same new slug, the unique index decides. A trigger refuses a former slug of another product.
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
    """Give a product another slug, and keep the previous one as a redirect. It may take back its own former slug.

    Raises:
        StateConflict: the slug is or was that of another product.
    """
    previous = session.execute(select(Product.slug).where(Product.id == product_id)).scalar_one()
    if slug == previous:
        return
    session.execute(delete(FormerSlug).where(FormerSlug.slug == slug, FormerSlug.product_id == product_id))
    with claim_slug(session, slug):
        session.execute(update(Product).where(Product.id == product_id).values(slug=slug))
        session.add(FormerSlug(slug=previous, product_id=product_id))
        session.flush()


@contextmanager
def claim_slug(session: Session, slug: str) -> Iterator[None]:
    """Run a block that writes a new slug.

    Raises:
        StateConflict: the slug is or was that of another product.
    """
    current = select(1).where(Product.slug == slug)
    former = select(1).where(FormerSlug.slug == slug)
    if session.scalar(select(or_(exists(current), exists(former)))):
        raise _slug_taken_error(slug)
    try:
        with session.begin_nested():
            yield
    except IntegrityError as error:  # another transaction has claimed the slug
        raise _slug_taken_error(slug) from error


def _slug_taken_error(slug: str) -> StateConflict:
    message = f"The name {slug} is or was used by another product. Choose another one."
    return StateConflict(message, errors={"slug": "is or was used by another product"})
