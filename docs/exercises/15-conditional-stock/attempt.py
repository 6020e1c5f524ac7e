"""Exercise 15: conditional stock. Mend `reserve_stock`, then run `bin/shop exercise check 15`."""

from sqlalchemy import text
from sqlalchemy.orm import Session

READ = text("SELECT on_hand, reserved FROM stock_items WHERE product_id = :product_id")
WRITE = text("UPDATE stock_items SET reserved = :reserved WHERE product_id = :product_id")


def reserve_stock(session: Session, product_id: int, pieces: int) -> int | None:
    """Reserve pieces of a product in the caller's transaction.

    Args:
        session: of the caller's transaction, which the caller commits or rolls back.
        product_id: the product.
        pieces: how many, 1 or more.

    Returns:
        The pieces that are still available afterwards; None if there were too few, and nothing has changed.
    """
    row = session.execute(READ, {"product_id": product_id}).one_or_none()
    if row is None or row.reserved + pieces > row.on_hand:
        return None
    session.execute(WRITE, {"product_id": product_id, "reserved": row.reserved + pieces})
    return row.on_hand - row.reserved - pieces
