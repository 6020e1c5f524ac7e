"""Which cart the browser being answered means. A guest's is known by its id in the signed session cookie alone."""

import uuid

from flask import session

from shop.cart.service import Owner
from shop.web.identity import current_identity

KEY = "cart"


def current_owner() -> Owner:
    """Return whose cart the request means; for a passer-by, nobody's. Only reads."""
    identity = current_identity()
    return Owner(user_id=identity.user_id) if identity else Owner(guest_cart_id=guest_cart_id())


def guest_cart_id() -> uuid.UUID | None:
    """Return the id of the guest's cart that the browser carries."""
    kept = session.get(KEY)
    return uuid.UUID(kept) if kept else None


def keep(owner: Owner, cart_id: uuid.UUID) -> None:
    """Let a guest's browser carry her cart's id; each addition makes it last its full time anew."""
    if owner.user_id is None:
        session.permanent = True
        session[KEY] = str(cart_id)
