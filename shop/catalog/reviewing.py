"""Writing a review: the review and the sums it changes move together."""

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.catalog.models import Product
from shop.catalog.models import Review as ReviewRow
from shop.catalog.schemas import ReviewDetail
from shop.errors import StateConflict


def has_reviewed(session: Session, product_id: int, user_id: int) -> bool:
    """Tell whether an account has had its say on a product."""
    mine = select(1).where(ReviewRow.product_id == product_id, ReviewRow.user_id == user_id)
    return bool(session.scalar(select(mine.exists())))


def write(session: Session, product_id: int, user_id: int, author: str, rating: int, body: str) -> ReviewDetail:
    """Add an account's review of a product, and its rating to the product's sums.

    The unique index decides who is second, so two requests at once cannot both be first.

    Raises:
        StateConflict: the account has reviewed this product before.
    """
    statement = (
        insert(ReviewRow)
        .values(product_id=product_id, user_id=user_id, author=author, rating=rating, body=body)
        .on_conflict_do_nothing(index_elements=["product_id", "user_id"])
        .returning(ReviewRow.created_at)
    )
    created_at = session.scalar(statement)
    if created_at is None:
        raise StateConflict("You have reviewed this product already.")
    session.execute(
        update(Product)
        .where(Product.id == product_id)
        .values(rating_sum=Product.rating_sum + rating, rating_count=Product.rating_count + 1)
    )
    return ReviewDetail(author=author, rating=rating, body=body, created_at=created_at)
