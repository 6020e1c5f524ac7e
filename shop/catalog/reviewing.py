"""Adds a review and updates the product's rating sums in the same transaction."""

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.catalog.models import Product
from shop.catalog.models import Review as ReviewRow
from shop.catalog.schemas import ReviewDetail
from shop.errors import StateConflict


def has_reviewed(session: Session, product_id: int, user_id: int) -> bool:
    """Tell whether an account has reviewed a product."""
    review = select(1).where(ReviewRow.product_id == product_id, ReviewRow.user_id == user_id)
    return bool(session.scalar(select(review.exists())))


def add_review(session: Session, product_id: int, user_id: int, author: str, rating: int, body: str) -> ReviewDetail:
    """Add an account's review of a product, and add its rating to the product's sums.

    The unique index decides between two concurrent requests, so only one of them succeeds.

    Raises:
        StateConflict: the account has already reviewed this product.
    """
    statement = (
        insert(ReviewRow)
        .values(product_id=product_id, user_id=user_id, author=author, rating=rating, body=body)
        .on_conflict_do_nothing(index_elements=["product_id", "user_id"])
        .returning(ReviewRow.created_at)
    )
    created_at = session.scalar(statement)
    if created_at is None:
        raise StateConflict("You have already reviewed this product.")
    session.execute(
        update(Product)
        .where(Product.id == product_id)
        .values(rating_sum=Product.rating_sum + rating, rating_count=Product.rating_count + 1)
    )
    return ReviewDetail(author=author, rating=rating, body=body, created_at=created_at)
