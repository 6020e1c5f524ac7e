"""Personal data in carts: deletes it. An export uses the owner's view of the cart."""

import uuid
from collections.abc import Collection

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from shop.cart.models import Cart


def erase(session: Session, user_id: int | None, guest_cart_ids: Collection[uuid.UUID]) -> int:
    """Delete an account's cart and the given guests' carts without an account; return the number of deleted carts."""
    of_guests = Cart.id.in_(guest_cart_ids) & Cart.user_id.is_(None)
    condition = of_guests if user_id is None else or_(Cart.user_id == user_id, of_guests)
    return len(session.scalars(delete(Cart).where(condition).returning(Cart.id)).all())
