"""The isolation level SERIALIZABLE: the code reads and writes as if no other transaction were running.

If two transactions do so at once, PostgreSQL commits one and aborts the other with SQLSTATE 40001;
:meth:`Database.run_in_transaction` runs the other one again with jitter. The code needs no locks of its own, but on a
hot row most attempts are wasted.
"""

from typing import ClassVar

from sqlalchemy.orm import Session

from shop.catalog.stock.conditional_update import ConditionalStock
from shop.catalog.stock.pessimistic import READ_STOCK, WRITE_RESERVED

ATTEMPTS = 12
"""More attempts than for other transactions, because on a hot row most attempts fail."""


class SerializableStock(ConditionalStock):
    """Reads, writes, and lets the database detect conflicts."""

    isolation: ClassVar[str | None] = "SERIALIZABLE"
    attempts: ClassVar[int] = ATTEMPTS

    def reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        """Reserve pieces of one product; the database detects a conflict."""
        row = session.execute(READ_STOCK, {"product": product_id}).one_or_none()
        if row is None or row.reserved + count > row.on_hand:
            return None
        session.execute(WRITE_RESERVED, {"product": product_id, "new_reserved": row.reserved + count})
        return int(row.on_hand - row.reserved - count)
