"""Which cart the browser being answered means. A guest's is known by its id in the signed session cookie alone."""

import uuid

from shop.cart.service import CartOwner
from shop.web.guest_identity import current_guest, keep_guest_cart
from shop.web.identity import current_identity


def current_owner() -> CartOwner:
    """Return whose cart the request means; for a passer-by, nobody's. Only reads."""
    if (identity := current_identity()) is not None:
        return CartOwner(user_id=identity.user_id)
    guest = current_guest()
    return CartOwner(guest_cart_id=guest.cart_id, guest_id=guest.guest_id) if guest else CartOwner()


def remember_cart(owner: CartOwner, cart_id: uuid.UUID) -> None:
    """Let a guest's browser carry her cart's id; each addition makes it last its full time anew."""
    if owner.user_id is None:
        keep_guest_cart(cart_id)
