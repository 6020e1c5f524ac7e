"""Personal data in the catalogue: exports the reviews of an account, and anonymises them."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop.catalog.models import Product, Review

ANONYMOUS_AUTHOR = "Former customer"


def export(session: Session, user_id: int) -> list[dict[str, Any]]:
    """Return an account's reviews."""
    rows = session.execute(
        select(Product.slug, Review.author, Review.rating, Review.body, Review.created_at)
        .join(Product, Product.id == Review.product_id)
        .where(Review.user_id == user_id)
        .order_by(Review.id)
    )
    return [row._asdict() for row in rows]


def anonymise(session: Session, user_id: int) -> list[str]:
    """Remove the author's name from an account's reviews; return the slugs of the products whose pages show it.

    Text and rating stay, because other shoppers rely on them.
    """
    with_name = (Review.user_id == user_id) & (Review.author != ANONYMOUS_AUTHOR)
    products = session.scalars(
        update(Review).where(with_name).values(author=ANONYMOUS_AUTHOR).returning(Review.product_id)
    ).all()
    return list(session.scalars(select(Product.slug).where(Product.id.in_(products))))
