"""Conditional UPDATE: the check and the change are one statement, so no other transaction can come between them.

``UPDATE ... SET reserved = reserved + n WHERE reserved + n <= on_hand``; if no row changes, there are too few pieces.
After waiting for another writer, PostgreSQL evaluates the condition again on the row's newest version (13.2.1). The
strategy needs one statement for each product and no retry, and it locks the row only from this statement to the commit.
"""

from typing import ClassVar

from sqlalchemy import Integer, bindparam, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from shop.catalog.stock.protocol import ITEM, ITEMS, Quantities, out_of_stock
from shop.database.transactions import RETRY_ATTEMPTS
from shop.errors import StateConflict

_one = update(ITEMS).where(ITEM.product_id == bindparam("product")).returning(ITEM.on_hand - ITEM.reserved)
_pieces = bindparam("pieces", type_=Integer)
RESERVE = _one.where(ITEM.reserved + _pieces <= ITEM.on_hand).values(reserved=ITEM.reserved + _pieces)
RELEASE = _one.values(reserved=ITEM.reserved - _pieces)
SELL = _one.values(on_hand=ITEM.on_hand - _pieces, reserved=ITEM.reserved - _pieces)
RESTOCK = _one.values(on_hand=ITEM.on_hand + _pieces)
"""Each statement returns the available pieces of the product after the change."""


class ConditionalStock:
    """The default strategy. The other safe strategies differ only in how they reserve one product."""

    isolation: ClassVar[str | None] = None
    attempts: ClassVar[int] = RETRY_ATTEMPTS

    def reserve(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """See :meth:`StockStrategy.reserve`; never raises ``TransactionConflict``."""
        insufficient, sold_out = [], []
        for product_id, count in sorted(quantities.items()):
            left = self.reserve_one(session, product_id, count)
            if left is None:
                insufficient.append(product_id)
            elif left == 0:
                sold_out.append(product_id)
        if insufficient:
            raise out_of_stock(session, insufficient)
        return frozenset(sold_out)

    def release(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """See :meth:`StockStrategy.release`."""
        return _change(session, RELEASE, quantities)

    def sell_reserved(self, session: Session, quantities: Quantities) -> None:
        """See :meth:`StockStrategy.sell_reserved`."""
        _change(session, SELL, quantities)

    def restock(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """See :meth:`StockStrategy.restock`."""
        return _change(session, RESTOCK, quantities)

    def reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        """Reserve pieces of one product; return the pieces still available, or ``None`` if there were too few."""
        return session.execute(RESERVE, {"product": product_id, "pieces": count}).scalar_one_or_none()


def _change(session: Session, change: ReturningUpdate[int], quantities: Quantities) -> frozenset[int]:
    """Change the stock of each product; return the products that were sold out before and are available now."""
    available_again = []
    for product_id, count in sorted(quantities.items()):
        left = session.execute(change, {"product": product_id, "pieces": count}).scalar_one_or_none()
        if left is None:
            raise StateConflict("A product of this order has no stock record any more.")
        if left == count:
            available_again.append(product_id)
    return frozenset(available_again)
