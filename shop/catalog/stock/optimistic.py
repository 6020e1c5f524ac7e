"""Optimistic locking by compare and swap: the UPDATE writes only if the row still has the values that were read.

The comparison covers all values of the decision, so no version column is needed: if the values have changed and changed
back, the decision is right again. After a failed comparison the whole transaction runs again with jitter. A retry of
the single statement would keep the rows of earlier products locked.
"""

from typing import ClassVar

from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from shop.catalog.stock.conditional_update import ConditionalStock
from shop.catalog.stock.pessimistic import READ_STOCK, WRITE_RESERVED
from shop.catalog.stock.protocol import ITEM
from shop.catalog.stock.serializable import ATTEMPTS
from shop.database.errors import TransactionConflict

COMPARE_AND_SWAP = WRITE_RESERVED.where(
    ITEM.on_hand == bindparam("expected_on_hand"), ITEM.reserved == bindparam("expected_reserved")
).returning(ITEM.product_id)


class OptimisticStock(ConditionalStock):
    """Reads the row, and writes it only if it is unchanged."""

    attempts: ClassVar[int] = ATTEMPTS

    def reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        """Reserve pieces of one product.

        Raises:
            TransactionConflict: a concurrent transaction has changed the row.
        """
        row = session.execute(READ_STOCK, {"product": product_id}).one_or_none()
        if row is None or row.reserved + count > row.on_hand:
            return None
        expected = {"product": product_id, "expected_on_hand": row.on_hand, "expected_reserved": row.reserved}
        updated = session.execute(COMPARE_AND_SWAP, {**expected, "new_reserved": row.reserved + count})
        if updated.one_or_none() is None:
            raise TransactionConflict
        return int(row.on_hand - row.reserved - count)
