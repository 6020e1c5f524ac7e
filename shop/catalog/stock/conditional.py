"""Stock, taken by conditional UPDATE: the check and the change are one statement, so nobody can come in between.

Problem: two checkouts read "one left", both are content, both sell it.
Method: ``UPDATE ... SET reserved = reserved + n WHERE reserved + n <= on_hand``; no row changed means there was not
enough. PostgreSQL re-evaluates the condition on the row's newest version after it waited for another writer. Products
are always taken in the order of their ids, so two baskets with the same products cannot wait for each other in a
circle. A CHECK stands behind it all.
Source: PostgreSQL manual, 13.2.1 (Read Committed) and 13.3.4 (deadlocks).

Every function works in the caller's transaction. Between checkout and settlement pieces are *reserved*: still on the
shelf, but promised.
"""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from shop.catalog.models import Product, StockItem
from shop.errors import Conflict, OutOfStock

Quantities = Mapping[int, int]
"""Product id to pieces."""
_Changes = dict[InstrumentedAttribute[int], ColumnElement[int]]


def reserve(session: Session, quantities: Quantities) -> frozenset[int]:
    """Promise pieces to a checkout.

    Returns:
        The products of which none is left to promise now.

    Raises:
        OutOfStock: fewer are left than asked for, of at least one product; ``errors`` has every one that fails,
            slug to what is left. The caller's transaction must not be committed then.
    """
    short, exhausted = [], []
    for product_id, count in sorted(quantities.items()):
        left = session.execute(
            update(StockItem)
            .where(StockItem.product_id == product_id, StockItem.reserved + count <= StockItem.on_hand)
            .values(reserved=StockItem.reserved + count)
            .returning(StockItem.on_hand - StockItem.reserved)
        ).scalar_one_or_none()
        if left is None:
            short.append(product_id)
        elif left == 0:
            exhausted.append(product_id)
    if short:
        raise OutOfStock("There are not enough left.", errors=_left(session, short))
    return frozenset(exhausted)


def release(session: Session, quantities: Quantities) -> frozenset[int]:
    """Take a promise back: the checkout came to nothing. Return the products that can be had again."""
    return frozenset(
        product_id
        for product_id, count in sorted(quantities.items())
        if _change(session, product_id, {StockItem.reserved: StockItem.reserved - count}) == count
    )


def commit_reserved(session: Session, quantities: Quantities) -> None:
    """Turn a promise into a sale: the pieces leave the shelf."""
    for product_id, count in sorted(quantities.items()):
        _change(
            session,
            product_id,
            {StockItem.on_hand: StockItem.on_hand - count, StockItem.reserved: StockItem.reserved - count},
        )


def restock(session: Session, quantities: Quantities) -> frozenset[int]:
    """Put sold pieces back on the shelf: the order never left. Return the products that can be had again."""
    return frozenset(
        product_id
        for product_id, count in sorted(quantities.items())
        if _change(session, product_id, {StockItem.on_hand: StockItem.on_hand + count}) == count
    )


def _change(session: Session, product_id: int, changes: _Changes) -> int:
    """Change one product's stock and return how many pieces can be had of it now."""
    left = session.execute(
        update(StockItem)
        .where(StockItem.product_id == product_id)
        .values(changes)
        .returning(StockItem.on_hand - StockItem.reserved)
    ).scalar_one_or_none()
    if left is None:
        raise Conflict("A product of this order is no longer kept in stock.")
    return left


def _left(session: Session, product_ids: list[int]) -> dict[str, str]:
    rows = session.execute(
        select(Product.slug, StockItem.on_hand - StockItem.reserved)
        .outerjoin(StockItem, StockItem.product_id == Product.id)
        .where(Product.id.in_(product_ids))
    )
    return {slug: f"{left or 0} left" for slug, left in rows}
