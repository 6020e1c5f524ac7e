"""Decided on a row that was locked first: ``SELECT ... FOR UPDATE``, look, then UPDATE.

Two statements a product, and the lock is held for one round trip longer. Worth it when the decision needs more than a
condition can say; here it does not.
"""

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from shop.catalog.models import StockItem
from shop.catalog.stock.conditional import ConditionalStock


class PessimisticStock(ConditionalStock):
    """Lock, look, change."""

    def _take(self, session: Session, product_id: int, count: int) -> int | None:
        seen = session.execute(look(product_id).with_for_update()).one_or_none()
        if seen is None or seen.reserved + count > seen.on_hand:
            return None
        session.execute(
            update(StockItem).where(StockItem.product_id == product_id).values(reserved=seen.reserved + count)
        )
        return int(seen.on_hand - seen.reserved - count)


def look(product_id: int) -> Select[int, int]:
    """Return the query for what is on the shelf and what of it is promised."""
    return select(StockItem.on_hand, StockItem.reserved).where(StockItem.product_id == product_id)
