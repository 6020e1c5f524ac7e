"""The interface of a stock strategy, and the statements that all strategies share."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from shop.catalog.models import Product, StockItem
from shop.errors import OutOfStock

Quantities = Mapping[int, int]
"""Maps a product id to a number of pieces."""
ITEMS = cast(Table, StockItem.__table__)
ITEM = ITEMS.columns
"""The table and its columns. Each strategy builds its statements once, so that SQLAlchemy compiles each only once."""


class StockStrategy(Protocol):
    """A strategy that reserves and releases stock. Every method works in the caller's transaction."""

    isolation: ClassVar[str | None]
    """The isolation level of the reserving transaction; ``None`` for PostgreSQL's default."""
    attempts: ClassVar[int]
    """The most attempts of that transaction; several attempts help only if a concurrent success makes it fail."""

    def reserve(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """Reserve pieces for a checkout.

        Returns:
            The products of which no piece is available any more.

        Raises:
            OutOfStock: at least one product has too few available pieces; ``errors`` maps the slug of each such product
                to the pieces that are left. The caller must roll its transaction back.
            TransactionConflict: a concurrent transaction has changed the row; the caller must run its transaction
                again.
        """

    def release(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """Release the pieces of a failed checkout. Return the products that are available again."""

    def sell_reserved(self, session: Session, quantities: Quantities) -> None:
        """Turn a reservation into a sale: remove the pieces from the stock."""

    def restock(self, session: Session, quantities: Quantities) -> frozenset[int]:
        """Put the pieces of a cancelled order back. Return the products that are available again."""


def out_of_stock(session: Session, product_ids: list[int]) -> OutOfStock:
    """Return the error that names these products and the pieces that are left of each."""
    rows = session.execute(
        select(Product.slug, StockItem.on_hand - StockItem.reserved)
        .outerjoin(StockItem, StockItem.product_id == Product.id)
        .where(Product.id.in_(product_ids))
    )
    return OutOfStock("There are not enough pieces left.", errors={slug: f"{left or 0} left" for slug, left in rows})
