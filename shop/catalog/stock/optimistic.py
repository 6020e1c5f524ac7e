"""Decided on what was read, and written only if that still stands: compare and swap.

What is compared is all the decision was made from, so no version column is needed: should the values have changed and
changed back, the decision is right again. Who finds them changed gives way and the whole transaction runs again with
jitter; not the one statement, since rows taken before would stay locked while it tries.
"""

from typing import ClassVar

from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from shop.catalog.stock.conditional import ConditionalStock
from shop.catalog.stock.pessimistic import READ_STOCK, WRITE_RESERVED
from shop.catalog.stock.protocol import ITEM
from shop.catalog.stock.serializable import ATTEMPTS
from shop.database.errors import TransactionConflict

COMPARE_AND_SWAP = WRITE_RESERVED.where(
    ITEM.on_hand == bindparam("on_hand_seen"), ITEM.reserved == bindparam("promised_seen")
).returning(ITEM.product_id)


class OptimisticStock(ConditionalStock):
    """Look, then change what was seen and nothing else."""

    attempts: ClassVar[int] = ATTEMPTS

    def _reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        seen = session.execute(READ_STOCK, {"product": product_id}).one_or_none()
        if seen is None or seen.reserved + count > seen.on_hand:
            return None
        swap = {"product": product_id, "on_hand_seen": seen.on_hand, "promised_seen": seen.reserved}
        swapped = session.execute(COMPARE_AND_SWAP, {**swap, "promised": seen.reserved + count})
        if swapped.one_or_none() is None:
            raise TransactionConflict
        return int(seen.on_hand - seen.reserved - count)
