"""Read, compute, write without protection: the lost update. Unsafe; it exists to be measured.

The CHECK constraint does not stop it: a CHECK sees one row, and each written row is valid by itself. Two buyers read
``reserved = 3`` and both write 4; the row is valid, and one reservation is lost. With the safe statements, settlement
would later compute ``reserved = -1``, and the CHECK would stop it. But code of this kind reads, computes and writes
everywhere, and cuts off at zero. So every row is valid, and the store has sold more pieces than it had. Only a
comparison of the orders with the stock shows it.
"""

from sqlalchemy import Row, bindparam
from sqlalchemy.orm import Session

from shop.catalog.stock.conditional_update import ConditionalStock
from shop.catalog.stock.pessimistic import READ_STOCK, WRITE_RESERVED
from shop.catalog.stock.protocol import Quantities
from shop.errors import StateConflict

OVERWRITE = WRITE_RESERVED.values(on_hand=bindparam("new_on_hand"))


class NaiveStock(ConditionalStock):
    """Reads, computes and writes, without a lock or a comparison."""

    def release(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """See :meth:`StockStrategy.release`; overwrites concurrent changes."""
        return self._rewrite(session, quantities, on_hand=0, reserved=-1)

    def sell_reserved(self, session: Session, quantities: Quantities) -> None:
        """See :meth:`StockStrategy.sell_reserved`; overwrites concurrent changes."""
        self._rewrite(session, quantities, on_hand=-1, reserved=-1)

    def restock(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """See :meth:`StockStrategy.restock`; overwrites concurrent changes."""
        return self._rewrite(session, quantities, on_hand=1, reserved=0)

    def reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        """Reserve pieces of one product; overwrites concurrent changes."""
        row = session.execute(READ_STOCK, {"product": product_id}).one_or_none()
        if row is None or row.reserved + count > row.on_hand:
            return None
        return _write(session, product_id, row.on_hand, row.reserved + count)

    def _rewrite(self, session: Session, quantities: Quantities, *, on_hand: int, reserved: int) -> frozenset[int]:
        """Add each factor times the pieces to the read values; return the products that are available again."""
        available_again = []
        for product_id, count in sorted(quantities.items()):
            row: Row[int, int] | None = session.execute(READ_STOCK, {"product": product_id}).one_or_none()
            if row is None:
                raise StateConflict("A product of this order has no stock record any more.")
            left = _write(session, product_id, row.on_hand + on_hand * count, row.reserved + reserved * count)
            if left == count:
                available_again.append(product_id)
        return frozenset(available_again)


def _write(session: Session, product_id: int, on_hand: int, reserved: int) -> int:
    on_hand = max(on_hand, 0)
    reserved = min(max(reserved, 0), on_hand)
    session.execute(OVERWRITE, {"product": product_id, "new_reserved": reserved, "new_on_hand": on_hand})
    return on_hand - reserved
