"""Decided on a row that was locked first: ``SELECT ... FOR UPDATE``, look, then UPDATE.

Two statements a product, and the lock is held for one round trip longer. Worth it when the decision needs more than a
condition can say; here it does not.
"""

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from shop.catalog.stock.conditional import ConditionalStock
from shop.catalog.stock.protocol import ITEM, ITEMS

READ_STOCK = select(ITEM.on_hand, ITEM.reserved).where(ITEM.product_id == bindparam("product"))
"""What is on the shelf, and what of it is promised."""
LOCK_STOCK = READ_STOCK.with_for_update()
WRITE_RESERVED = update(ITEMS).where(ITEM.product_id == bindparam("product")).values(reserved=bindparam("promised"))


class PessimisticStock(ConditionalStock):
    """Lock, look, change."""

    def _reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        seen = session.execute(LOCK_STOCK, {"product": product_id}).one_or_none()
        if seen is None or seen.reserved + count > seen.on_hand:
            return None
        session.execute(WRITE_RESERVED, {"product": product_id, "promised": seen.reserved + count})
        return int(seen.on_hand - seen.reserved - count)
