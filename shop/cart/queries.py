"""The SQL of carts: how one is found, locked, filled and emptied.

The lock is always the cart's own row, taken before its items, so no two changes of one cart interleave; only a merge
takes two, the guest's first, and a guest's cart is merged once.
"""

import uuid
from collections.abc import Mapping
from typing import cast

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.cart.cart_lines import HeldLine
from shop.cart.models import MAX_LINES, MAX_QUANTITY, Cart, CartItem
from shop.database.pipelined_commit import DeferredStatement
from shop.database.transactions import Database
from shop.money import Money


def select_items(condition: ColumnElement[bool], *columns: object) -> Select[int, int]:
    """Select columns of what lies in the cart the condition describes."""
    return select(*columns).join(Cart, Cart.id == CartItem.cart_id).where(condition)  # type: ignore[call-overload,no-any-return]


def select_for_update(condition: ColumnElement[bool]) -> Select[uuid.UUID]:
    """Select the id of the cart the condition describes, if there is one, and hold it against every other change."""
    return select(Cart.id).where(condition).with_for_update()


_carts, _items = cast(Table, Cart.__table__), cast(Table, CartItem.__table__)
_of_account = _carts.columns.user_id == bindparam("owner")
_of_guest = (_carts.columns.id == bindparam("owner")) & _carts.columns.user_id.is_(None)
_held = (
    select(_items.columns.product_id, _items.columns.quantity, _items.columns.line_id)
    .join(_carts, _carts.columns.id == _items.columns.cart_id)
    .with_for_update(key_share=True, read=True, of=_carts)
)
_lock = select(_carts.columns.id).with_for_update()
_HELD = {True: _held.where(_of_account), False: _held.where(_of_guest)}
_LOCK = {True: _lock.where(_of_account), False: _lock.where(_of_guest)}
"""By whether the cart is an account's."""


def held_lines(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> dict[int, HeldLine]:
    """Return what lies in an account's or a guest's cart, by product id.

    The cart cannot go until the transaction ends. Where the transaction's snapshot is older than a merge that took it,
    PostgreSQL ends the transaction instead of showing what lay in it (40001), and it is run again.
    """
    rows = session.execute(_HELD[user_id is not None], {"owner": user_id or guest_cart_id})
    return {row.product_id: HeldLine(row.quantity, row.line_id) for row in rows}


def lock_cart(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> uuid.UUID | None:
    """Return the id of an account's or a guest's cart, its row locked until the transaction ends, if there is one."""
    return session.execute(_LOCK[user_id is not None], {"owner": user_id or guest_cart_id}).scalar_one_or_none()


def get_or_create_locked(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> uuid.UUID:
    """Return the id of an account's or a guest's cart, made if need be, its row locked until the transaction ends."""
    if user_id is not None:
        made = insert(Cart).values(id=uuid.uuid4(), user_id=user_id)
        upsert = made.on_conflict_do_update(index_elements=[Cart.user_id], set_={"updated_at": func.now()})
    else:
        made = insert(Cart).values(id=guest_cart_id or uuid.uuid4())
        upsert = made.on_conflict_do_update(
            index_elements=[Cart.id], set_={"updated_at": func.now()}, where=Cart.user_id.is_(None)
        )
    found = session.execute(upsert.returning(Cart.id)).scalar_one_or_none()
    return found or get_or_create_locked(session, None, None)  # that id was an account's cart: a guest starts a new one


ADD_TO_LINE = text("""
INSERT INTO cart_items AS held (cart_id, product_id, quantity, seen_price_amount)
SELECT :cart_id, :product_id, :quantity, :price
 WHERE (SELECT count(*) FROM cart_items WHERE cart_id = :cart_id AND product_id <> :product_id) < :most_lines
ON CONFLICT (cart_id, product_id) DO UPDATE
   SET quantity = least(:most, held.quantity + excluded.quantity), seen_price_amount = excluded.seen_price_amount
RETURNING quantity
""")
"""Under the cart's lock, taken by a statement before, so that two additions do not both find the last free line."""


def add_to_line(session: Session, cart_id: uuid.UUID, product_id: int, quantity: int, price: Money) -> int | None:
    """Add pieces to a line; one statement, so no addition reads an old count.

    Returns:
        How many it holds now; ``None`` if the cart has no room for another line.
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
    INSERT INTO cart_items AS held (cart_id, product_id, quantity, seen_price_amount, line_id)
    SELECT :target, product_id, quantity, seen_price_amount, line_id FROM arriving
     WHERE known OR place <= :most_lines - (SELECT count(*) FROM cart_items WHERE cart_id = :target)
    ON CONFLICT (cart_id, product_id) DO UPDATE
       SET quantity = least(:most, held.quantity + excluded.quantity), seen_price_amount = excluded.seen_price_amount,
           line_id = excluded.line_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM arriving) - (SELECT count(*) FROM moved)
""")
"""What was chosen last finds room first. A line that arrives keeps its name: an order of it may be under way."""


def move_items(session: Session, source: uuid.UUID, target: uuid.UUID) -> tuple[int, int]:
    """Move one cart's items into another, both locked, and delete it.

    Returns:
        How many pieces the other gained, and how many products it had no room for.
    """
    pieces = select(func.coalesce(func.sum(CartItem.quantity), 0)).where(CartItem.cart_id == target)
    before = session.execute(pieces).scalar_one()
    row = {"source": source, "target": target, "most": MAX_QUANTITY, "most_lines": MAX_LINES}
    left = session.execute(MOVE_ITEMS, row).scalar_one()
    session.execute(delete(Cart).where(Cart.id == source))
    return int(session.execute(pieces).scalar_one() - before), int(left)


REMOVE_BOUGHT = text("""
WITH bought AS (
    SELECT * FROM unnest(CAST(:product_ids AS bigint[]), CAST(:pieces AS integer[])) AS bought (product_id, pieces)
), used_up AS (
    DELETE FROM cart_items AS held USING bought
     WHERE held.cart_id = :cart_id AND held.product_id = bought.product_id AND held.quantity <= bought.pieces
)
UPDATE cart_items AS held SET quantity = held.quantity - bought.pieces, line_id = gen_random_uuid() FROM bought
 WHERE held.cart_id = :cart_id AND held.product_id = bought.product_id AND held.quantity > bought.pieces
""")
"""Under the cart's lock, taken by a statement before: both halves see the same quantities, and no line meets both."""


def remove_bought(session: Session, cart_id: uuid.UUID, bought: Mapping[int, int]) -> None:
    """Lower the lines of what was bought, product id to pieces, and delete those that are used up; with the COMMIT."""
    row = {"cart_id": cart_id, "product_ids": list(bought), "pieces": list(bought.values())}
    Database.execute_with_commit(session, DeferredStatement(REMOVE_BOUGHT, row))
