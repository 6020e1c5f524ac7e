"""The owner of the current request's cart. A guest's cart is found only by its id in the signed session cookie."""

import uuid

from shop.cart.service import CartOwner
from shop.web.guest_identity import current_guest, keep_guest_cart
from shop.web.identity import current_identity


def current_owner() -> CartOwner:
    """Return the owner of the request's cart; for a new visitor, an owner without a cart. Only reads."""
    if (identity := current_identity()) is not None:
        return CartOwner(user_id=identity.user_id)
    guest = current_guest()
    return CartOwner(guest_cart_id=guest.cart_id, guest_id=guest.guest_id) if guest else CartOwner()


def remember_cart(owner: CartOwner, cart_id: uuid.UUID) -> None:
    """Store the cart's id in a guest's session cookie; each addition renews the cookie's lifetime."""
    if owner.user_id is None:
        keep_guest_cart(cart_id)
