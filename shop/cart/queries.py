"""The SQL of carts: find, lock, fill, merge and empty them.

A change locks the cart's row before its items, so no two changes of one cart interleave. Only a merge locks two carts,
the guest's first, and a guest's cart is merged once.
"""

import uuid
from collections.abc import Mapping
from typing import cast

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.cart.cart_lines import LockedLine
from shop.cart.models import MAX_LINES, MAX_QUANTITY, Cart, CartItem
from shop.database.pipelined_commit import PipelinedStatement
from shop.database.transactions import Database
from shop.money import Money


def select_items(condition: ColumnElement[bool], *columns: object) -> Select[int, int]:
    """Select columns of the items of the cart that meets the condition."""
    return select(*columns).join(Cart, Cart.id == CartItem.cart_id).where(condition)  # type: ignore[call-overload,no-any-return]


def select_for_update(condition: ColumnElement[bool]) -> Select[uuid.UUID]:
    """Select the id of the cart that meets the condition, and lock its row against every other change."""
    return select(Cart.id).where(condition).with_for_update()


_carts, _items = cast(Table, Cart.__table__), cast(Table, CartItem.__table__)
_of_account = _carts.columns.user_id == bindparam("owner")
_of_guest = (_carts.columns.id == bindparam("owner")) & _carts.columns.user_id.is_(None)
_lines = (
    select(_items.columns.product_id, _items.columns.quantity, _items.columns.line_id)
    .join(_carts, _carts.columns.id == _items.columns.cart_id)
    .with_for_update(key_share=True, read=True, of=_carts)
)
_lock = select(_carts.columns.id).with_for_update()
_LINES = {True: _lines.where(_of_account), False: _lines.where(_of_guest)}
_LOCK = {True: _lock.where(_of_account), False: _lock.where(_of_guest)}
"""The key is true for an account's cart, false for a guest's cart."""


def locked_lines(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> dict[int, LockedLine]:
    """Return the lines of an account's or a guest's cart, by product id.

    The query locks the cart's row, so no merge changes the cart before the transaction ends. With the isolation levels
    that read from one snapshot, the snapshot may be older than a merge that has just finished. Then PostgreSQL does not
    return the old items: it aborts the transaction (SQLSTATE 40001), and the caller runs it again.
    """
    rows = session.execute(_LINES[user_id is not None], {"owner": user_id or guest_cart_id})
    return {row.product_id: LockedLine(row.quantity, row.line_id) for row in rows}


def lock_cart(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> uuid.UUID | None:
    """Lock an account's or a guest's cart until the transaction ends; return its id, or ``None`` without a cart."""
    return session.execute(_LOCK[user_id is not None], {"owner": user_id or guest_cart_id}).scalar_one_or_none()


def get_or_create_locked(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> uuid.UUID:
    """Lock an account's or a guest's cart until the transaction ends, and create it if needed; return its id."""
    if user_id is not None:
        new_cart = insert(Cart).values(id=uuid.uuid4(), user_id=user_id)
        upsert = new_cart.on_conflict_do_update(index_elements=[Cart.user_id], set_={"updated_at": func.now()})
    else:
        new_cart = insert(Cart).values(id=guest_cart_id or uuid.uuid4())
        upsert = new_cart.on_conflict_do_update(
            index_elements=[Cart.id], set_={"updated_at": func.now()}, where=Cart.user_id.is_(None)
        )
    cart_id = session.execute(upsert.returning(Cart.id)).scalar_one_or_none()
    # Without a row, the id is that of an account's cart, so the guest gets a new cart.
    return cart_id or get_or_create_locked(session, None, None)


ADD_TO_LINE = text("""
INSERT INTO cart_items AS line (cart_id, product_id, quantity, seen_price_amount)
SELECT :cart_id, :product_id, :quantity, :price
 WHERE (SELECT count(*) FROM cart_items WHERE cart_id = :cart_id AND product_id <> :product_id) < :most_lines
ON CONFLICT (cart_id, product_id) DO UPDATE
   SET quantity = least(:most, line.quantity + excluded.quantity), seen_price_amount = excluded.seen_price_amount
RETURNING quantity
""")
"""Needs the cart's lock, taken by an earlier statement, so that two additions cannot both take the last free line."""


def add_to_line(session: Session, cart_id: uuid.UUID, product_id: int, quantity: int, price: Money) -> int | None:
    """Add pieces to a line in one statement, so that no addition reads an old quantity.

    Returns:
        The new quantity of the line; ``None`` if the cart has no room for another line.
    """
    row = {"cart_id": cart_id, "product_id": product_id, "quantity": quantity, "price": price.amount}
    return session.execute(ADD_TO_LINE, {**row, "most": MAX_QUANTITY, "most_lines": MAX_LINES}).scalar_one_or_none()


MOVE_ITEMS = text("""
WITH arriving AS (
    SELECT source.*, target.cart_id IS NOT NULL AS known,
           row_number() OVER (PARTITION BY target.cart_id IS NULL ORDER BY source.added_at DESC, source.product_id)
           AS place
      FROM cart_items AS source
      LEFT JOIN cart_items AS target ON (target.cart_id, target.product_id) = (:target, source.product_id)
     WHERE source.cart_id = :source
), moved AS (
    INSERT INTO cart_items AS line (cart_id, product_id, quantity, seen_price_amount, line_id)
    SELECT :target, product_id, quantity, seen_price_amount, line_id FROM arriving
     WHERE known OR place <= :most_lines - (SELECT count(*) FROM cart_items WHERE cart_id = :target)
    ON CONFLICT (cart_id, product_id) DO UPDATE
       SET quantity = least(:most, line.quantity + excluded.quantity), seen_price_amount = excluded.seen_price_amount,
           line_id = excluded.line_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM arriving) - (SELECT count(*) FROM moved)
""")
"""The latest items get the free lines. A moved line keeps its ``line_id``, since a checkout of it may be running."""


def move_items(session: Session, source: uuid.UUID, target: uuid.UUID) -> tuple[int, int]:
    """Move one locked cart's items into another locked cart, and delete the first cart.

    Returns:
        The number of added pieces, and the number of products without a free line.
    """
    pieces = select(func.coalesce(func.sum(CartItem.quantity), 0)).where(CartItem.cart_id == target)
    pieces_before = session.execute(pieces).scalar_one()
    row = {"source": source, "target": target, "most": MAX_QUANTITY, "most_lines": MAX_LINES}
    left_out = session.execute(MOVE_ITEMS, row).scalar_one()
    session.execute(delete(Cart).where(Cart.id == source))
    return int(session.execute(pieces).scalar_one() - pieces_before), int(left_out)


REMOVE_BOUGHT = text("""
WITH bought AS (
    SELECT * FROM unnest(CAST(:product_ids AS bigint[]), CAST(:pieces AS integer[])) AS bought (product_id, pieces)
), used_up AS (
    DELETE FROM cart_items AS line USING bought
     WHERE line.cart_id = :cart_id AND line.product_id = bought.product_id AND line.quantity <= bought.pieces
)
UPDATE cart_items AS line SET quantity = line.quantity - bought.pieces, line_id = gen_random_uuid() FROM bought
 WHERE line.cart_id = :cart_id AND line.product_id = bought.product_id AND line.quantity > bought.pieces
""")
"""Needs the cart's lock, taken by an earlier statement: both parts see the same quantities and change different
lines."""


def remove_bought(session: Session, cart_id: uuid.UUID, bought: Mapping[int, int]) -> None:
    """Reduce the lines by the bought pieces, and delete empty lines; the statement is pipelined with COMMIT.

    Args:
        session: of the caller's transaction.
        cart_id: of a locked cart.
        bought: product id to pieces.
    """
    row = {"cart_id": cart_id, "product_ids": list(bought), "pieces": list(bought.values())}
    Database.execute_with_commit(session, PipelinedStatement(REMOVE_BOUGHT, row))
