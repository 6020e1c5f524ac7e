"""What carts hold about a person: deleted; to tell it, the cart is viewed as its owner views it."""

import uuid
from collections.abc import Collection

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from shop.cart.models import Cart


def erase(session: Session, user_id: int | None, guest_cart_ids: Collection[uuid.UUID]) -> int:
    """Delete an account's cart, and those guests' carts that no account owns; return how many."""
    of_guests = Cart.id.in_(guest_cart_ids) & Cart.user_id.is_(None)
    hers = of_guests if user_id is None else or_(Cart.user_id == user_id, of_guests)
    return len(session.scalars(delete(Cart).where(hers).returning(Cart.id)).all())
