"""Decided as if one were alone, at the isolation level SERIALIZABLE.

Look, then write. PostgreSQL lets one of two transactions that did so at once commit, and refuses the other with
SQLSTATE 40001; :meth:`Database.run_in_transaction` runs that one again with jitter. Nothing to think
about, and on a hot row most attempts are thrown away.
"""

from typing import ClassVar

from sqlalchemy.orm import Session

from shop.catalog.stock.conditional import ConditionalStock
from shop.catalog.stock.pessimistic import READ_STOCK, WRITE_RESERVED

ATTEMPTS = 12
"""More than elsewhere: on a hot row most attempts are lost, and each loser was in somebody's way."""


class SerializableStock(ConditionalStock):
    """Look, change, and let the database object."""

    isolation: ClassVar[str | None] = "SERIALIZABLE"
    attempts: ClassVar[int] = ATTEMPTS

    def _reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        seen = session.execute(READ_STOCK, {"product": product_id}).one_or_none()
        if seen is None or seen.reserved + count > seen.on_hand:
            return None
        session.execute(WRITE_RESERVED, {"product": product_id, "promised": seen.reserved + count})
        return int(seen.on_hand - seen.reserved - count)
