"""The SQL of carts: how one is found, locked, filled and emptied.

The lock is always the cart's own row, taken before its items, so no two changes of one cart interleave; only a merge
takes two, the guest's first, and a guest's cart is merged once.
"""

import uuid
from collections.abc import Mapping
from typing import cast

from sqlalchemy import ColumnElement, Select, Table, Uuid, bindparam, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from shop.cart.models import MAX_QUANTITY, Cart, CartItem
from shop.last_words import LastWord
from shop.money import Money
from shop.unit_of_work import Database


def items_of(condition: ColumnElement[bool], *columns: object) -> Select[int, int]:
    """Select columns of what lies in the cart the condition describes."""
    return select(*columns).join(Cart, Cart.id == CartItem.cart_id).where(condition)  # type: ignore[call-overload,no-any-return]


def lock_of(condition: ColumnElement[bool]) -> Select[uuid.UUID]:
    """Select the id of the cart the condition describes, if there is one, and hold it against every other change."""
    return select(Cart.id).where(condition).with_for_update()


_carts, _items = cast(Table, Cart.__table__), cast(Table, CartItem.__table__)
_of_account = _carts.columns.user_id == bindparam("owner")
_of_guest = (_carts.columns.id == bindparam("owner")) & _carts.columns.user_id.is_(None)
_held = select(_items.columns.product_id, _items.columns.quantity).join(
    _carts, _carts.columns.id == _items.columns.cart_id
)
_lock = select(_carts.columns.id).with_for_update()
_HELD = {True: _held.where(_of_account), False: _held.where(_of_guest)}
_LOCK = {True: _lock.where(_of_account), False: _lock.where(_of_guest)}
"""By whether the cart is an account's."""


def held(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> dict[int, int]:
    """Return what lies in an account's or a guest's cart, product id to quantity."""
    rows = session.execute(_HELD[user_id is not None], {"owner": user_id or guest_cart_id})
    return {row.product_id: row.quantity for row in rows}


def lock(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> uuid.UUID | None:
    """Return the id of an account's or a guest's cart, its row locked until the transaction ends, if there is one."""
    return session.execute(_LOCK[user_id is not None], {"owner": user_id or guest_cart_id}).scalar_one_or_none()


def locked(session: Session, user_id: int | None, guest_cart_id: uuid.UUID | None) -> uuid.UUID:
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
    return found or locked(session, None, None)  # that id was an account's cart: a guest starts a new one


def put(session: Session, cart_id: uuid.UUID, product_id: int, quantity: int, price: Money) -> int:
    """Add pieces to a line and return how many it holds now; one statement, so no addition reads an old count."""
    added = insert(CartItem).values(
        cart_id=cart_id,
        product_id=product_id,
        quantity=quantity,
        seen_price_amount=price.amount,
    )
    upsert = added.on_conflict_do_update(index_elements=[CartItem.cart_id, CartItem.product_id], set_=_sum_of(added))
    return session.execute(upsert.returning(CartItem.quantity)).scalar_one()


def move(session: Session, source: uuid.UUID, target: uuid.UUID) -> int:
    """Move one cart's items into another, delete it, and return how many pieces the other gained."""
    pieces = select(func.coalesce(func.sum(CartItem.quantity), 0)).where(CartItem.cart_id == target)
    before = session.execute(pieces).scalar_one()
    moved = select(literal(target, Uuid), CartItem.product_id, CartItem.quantity, CartItem.seen_price_amount).where(
        CartItem.cart_id == source
    )
    added = insert(CartItem).from_select(["cart_id", "product_id", "quantity", "seen_price_amount"], moved)
    session.execute(
        added.on_conflict_do_update(index_elements=[CartItem.cart_id, CartItem.product_id], set_=_sum_of(added))
    )
    session.execute(delete(Cart).where(Cart.id == source))
    return int(session.execute(pieces).scalar_one() - before)


TAKE = text("""
WITH bought AS (
    SELECT * FROM unnest(CAST(:product_ids AS bigint[]), CAST(:pieces AS integer[])) AS bought (product_id, pieces)
), used_up AS (
    DELETE FROM cart_items AS held USING bought
     WHERE held.cart_id = :cart_id AND held.product_id = bought.product_id AND held.quantity <= bought.pieces
)
UPDATE cart_items AS held SET quantity = held.quantity - bought.pieces FROM bought
 WHERE held.cart_id = :cart_id AND held.product_id = bought.product_id AND held.quantity > bought.pieces
""")
"""Under the cart's lock, taken by a statement before: both halves see the same quantities, and no line meets both."""


def take(session: Session, cart_id: uuid.UUID, bought: Mapping[int, int]) -> None:
    """Lower the lines of what was bought, product id to pieces, and delete those that are used up; with the COMMIT."""
    row = {"cart_id": cart_id, "product_ids": list(bought), "pieces": list(bought.values())}
    Database.with_commit(session, LastWord(TAKE, row))


def _sum_of(added: Insert) -> dict[str, object]:
    """Return what a line becomes when more of it is added."""
    return {
        "quantity": func.least(MAX_QUANTITY, CartItem.quantity + added.excluded.quantity),
        "seen_price_amount": added.excluded.seen_price_amount,
    }
