"""The store's own stock strategy, in the form of the exercise ``conditional-stock``."""

from sqlalchemy.orm import Session

from shop.catalog.stock.conditional_update import ConditionalStock


def reserve_stock(session: Session, product_id: int, pieces: int) -> int | None:
    """Reserve pieces of one product; see :class:`shop.exercises.interfaces.conditional_stock.ReserveStock`."""
    return ConditionalStock().reserve_one(session, product_id, pieces)
