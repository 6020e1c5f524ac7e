"""Decided inside the UPDATE: the check and the change are one statement, so nobody can come in between.

``UPDATE ... SET reserved = reserved + n WHERE reserved + n <= on_hand``; no row changed means there was not enough.
PostgreSQL looks at the condition again, on the row's newest version, after it waited for another writer (13.2.1). One
statement a product, no retry, and the row is locked from the first look to the commit only.
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
"""Each returns how many pieces of the product can be had after it."""


class ConditionalStock:
    """The way to do it. The other safe ways differ in :meth:`reserve` alone."""

    isolation: ClassVar[str | None] = None
    attempts: ClassVar[int] = RETRY_ATTEMPTS

    def reserve(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """As :meth:`Stock.reserve`; never loses a race."""
        short, exhausted = [], []
        for product_id, count in sorted(quantities.items()):
            left = self._reserve_one(session, product_id, count)
            if left is None:
                short.append(product_id)
            elif left == 0:
                exhausted.append(product_id)
        if short:
            raise out_of_stock(session, short)
        return frozenset(exhausted)

    def release(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """As :meth:`Stock.release`."""
        return _change(session, RELEASE, quantities)

    def commit_reserved(self, session: Session, quantities: Quantities) -> None:
        """As :meth:`Stock.commit_reserved`."""
        _change(session, SELL, quantities)

    def restock(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """As :meth:`Stock.restock`."""
        return _change(session, RESTOCK, quantities)

    def _reserve_one(self, session: Session, product_id: int, count: int) -> int | None:
        """Promise pieces of one product; return how many can still be had, or ``None`` if there were not enough."""
        return session.execute(RESERVE, {"product": product_id, "pieces": count}).scalar_one_or_none()


def _change(session: Session, change: ReturningUpdate[int], quantities: Quantities) -> frozenset[int]:
    """Change the stock of each product; return those that can be had again, none of which could be before."""
    again = []
    for product_id, count in sorted(quantities.items()):
        left = session.execute(change, {"product": product_id, "pieces": count}).scalar_one_or_none()
        if left is None:
            raise StateConflict("A product of this order is no longer kept in stock.")
        if left == count:
            again.append(product_id)
    return frozenset(again)
