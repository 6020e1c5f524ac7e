"""What a checkout asks of the stock, whatever way it is kept."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from shop.catalog.models import Product, StockItem
from shop.errors import OutOfStock

Quantities = Mapping[int, int]
"""Product id to pieces."""
ITEMS = cast(Table, StockItem.__table__)
ITEM = ITEMS.columns
"""The table and its columns. Every way makes its statements of them once, so that SQLAlchemy compiles each once."""


class StockStrategy(Protocol):
    """A way of keeping stock. Every method works in the caller's transaction."""

    isolation: ClassVar[str | None]
    """The isolation level the transaction that reserves must have; ``None`` for PostgreSQL's own default."""
    attempts: ClassVar[int]
    """How often that transaction is tried: more than once pays only where others' success makes it fail."""

    def reserve(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """Promise pieces to a checkout.

        Returns:
            The products of which none is left to promise now.

        Raises:
            OutOfStock: fewer are left than asked for, of at least one product; ``errors`` has every one that fails,
                slug to what is left. The caller's transaction must not be committed then.
            TransactionConflict: somebody else was quicker; the caller's transaction has to be run again.
        """

    def release(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """Take a promise back: the checkout came to nothing. Return the products that can be had again."""

    def commit_reserved(self, session: Session, quantities: Quantities) -> None:
        """Turn a promise into a sale: the pieces leave the shelf."""

    def restock(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """Put sold pieces back on the shelf: the order never left. Return the products that can be had again."""


def out_of_stock(session: Session, product_ids: list[int]) -> OutOfStock:
    """Return the refusal that names these products and what is left of each."""
    rows = session.execute(
        select(Product.slug, StockItem.on_hand - StockItem.reserved)
        .outerjoin(StockItem, StockItem.product_id == Product.id)
        .where(Product.id.in_(product_ids))
    )
    return OutOfStock("There are not enough left.", errors={slug: f"{left or 0} left" for slug, left in rows})
