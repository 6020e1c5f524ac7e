"""What the catalogue holds about a person: her reviews, told, and without her name."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop.catalog.models import Product, Review

NAMELESS = "Former customer"


def export(session: Session, user_id: int) -> list[dict[str, Any]]:
    """Return an account's reviews."""
    found = session.execute(
        select(Product.slug, Review.author, Review.rating, Review.body, Review.created_at)
        .join(Product, Product.id == Review.product_id)
        .where(Review.user_id == user_id)
        .order_by(Review.id)
    )
    return [row._asdict() for row in found]


def blank(session: Session, user_id: int) -> list[str]:
    """Take the author's name off an account's reviews; return the slugs of their products, whose pages show it.

    What was written stays: other shoppers chose by it, and the ratings count.
    """
    named = (Review.user_id == user_id) & (Review.author != NAMELESS)
    products = session.scalars(update(Review).where(named).values(author=NAMELESS).returning(Review.product_id)).all()
    return list(session.scalars(select(Product.slug).where(Product.id.in_(products))))
