"""Pessimistic locking: ``SELECT ... FOR UPDATE`` locks and reads the row, then an UPDATE writes it.

The strategy needs two statements for each product, and holds the lock for one round trip longer. It pays if the
decision needs more than a condition in SQL; here it does not.
"""

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from shop.catalog.stock.conditional_update import ConditionalStock
from shop.catalog.stock.protocol import ITEM, ITEMS

READ_STOCK = select(ITEM.on_hand, ITEM.reserved).where(ITEM.product_id == bindparam("product"))
"""Reads the pieces in stock, and the reserved ones of them."""
LOCK_STOCK = READ_STOCK.with_for_update()
WRITE_RESERVED = update(ITEMS).where(ITEM.product_id == bindparam("product")).values(reserved=bindparam("new_reserved"))


class PessimisticStock(ConditionalStock):
    """Locks the row, reads it, and writes the new reservation."""

    def reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        """Reserve pieces of one product, after locking its row."""
        row = session.execute(LOCK_STOCK, {"product": product_id}).one_or_none()
        if row is None or row.reserved + count > row.on_hand:
            return None
        session.execute(WRITE_RESERVED, {"product": product_id, "new_reserved": row.reserved + count})
        return int(row.on_hand - row.reserved - count)
