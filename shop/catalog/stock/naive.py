"""Decided on what was read, and written whatever happened since: the lost update. Unsafe, there to be measured.

It gets past the CHECK, and honestly so: a CHECK sees one row, and each row written here is one that could be true. Two
buyers read ``reserved = 3`` and both write 4; the row is fine, and one promise is lost. Settling would meet that lost
promise as ``reserved = -1`` and be stopped by the CHECK, were it as careful as it is in the other ways; but code that
reads, computes and writes does so everywhere, and never below nought. So it ends as such stores end: every row in
order, and more sold than there was. Only the orders, counted against the shelf, tell.
"""

from sqlalchemy import Row, bindparam
from sqlalchemy.orm import Session

from shop.catalog.stock.conditional import ConditionalStock
from shop.catalog.stock.pessimistic import READ_STOCK, WRITE_RESERVED
from shop.catalog.stock.protocol import Quantities
from shop.errors import StateConflict

OVERWRITE = WRITE_RESERVED.values(on_hand=bindparam("kept"))


class NaiveStock(ConditionalStock):
    """Look, compute, write."""

    def release(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """As :meth:`Stock.release`, and loses what others wrote meanwhile."""
        return self._rewrite(session, quantities, on_hand=0, reserved=-1)

    def commit_reserved(self, session: Session, quantities: Quantities) -> None:
        """As :meth:`Stock.commit_reserved`, and loses what others wrote meanwhile."""
        self._rewrite(session, quantities, on_hand=-1, reserved=-1)

    def restock(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """As :meth:`Stock.restock`, and loses what others wrote meanwhile."""
        return self._rewrite(session, quantities, on_hand=1, reserved=0)

    def _reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        seen = session.execute(READ_STOCK, {"product": product_id}).one_or_none()
        if seen is None or seen.reserved + count > seen.on_hand:
            return None
        return _write(session, product_id, seen.on_hand, seen.reserved + count)

    def _rewrite(self, session: Session, quantities: Quantities, *, on_hand: int, reserved: int) -> frozenset[int]:
        """Add ``count`` times each factor to what was read; return the products that can be had again."""
        again = []
        for product_id, count in sorted(quantities.items()):
            seen: Row[int, int] | None = session.execute(READ_STOCK, {"product": product_id}).one_or_none()
            if seen is None:
                raise StateConflict("A product of this order is no longer kept in stock.")
            left = _write(session, product_id, seen.on_hand + on_hand * count, seen.reserved + reserved * count)
            if left == count:
                again.append(product_id)
        return frozenset(again)


def _write(session: Session, product_id: int, on_hand: int, reserved: int) -> int:
    on_hand = max(on_hand, 0)
    reserved = min(max(reserved, 0), on_hand)
    session.execute(OVERWRITE, {"product": product_id, "promised": reserved, "kept": on_hand})
    return on_hand - reserved
