"""Moves the checkouts of a guest's cart to the account that the guest signs in to.

Problem: a cart changes its owner while one of its orders is being paid. If only the cart's lines moved, the account's
cart would hold lines that are being bought already. The account would have no checkout key of that order, and would pay
a second time.
Method: one transaction moves the cart's lines, the checkout keys of the orders that were placed from the cart, and the
stored responses of changes to the cart. After that, the account's checkout finds the open order as a conflicting
checkout, and a later settle phase removes the bought lines from the account's cart. The order's holder does not change
here: the guest keeps the address and the right to cancel until the account adopts the order.
"""

import uuid

from sqlalchemy.orm import Session

from shop.orders import checkout_keys
from shop.patterns.idempotency.key_owners import account_owner, guest_owner
from shop.patterns.idempotency.key_store import KeyStore

CART_ROUTES = ("% /api/v1/cart/%", "% /cart/%")
"""Responses of these routes are about the cart alone, so they move. Responses about an order stay with the guest, who
holds it; the order stores its checkout key itself."""


def move_checkout_keys(session: Session, guest_cart_id: uuid.UUID, user_id: int) -> None:
    """Move a guest's checkout keys to an account, before the same transaction locks and moves the cart.

    A checkout in progress on either side finishes its place phase first. Then its order moves too, or it has read the
    cart before the move.
    """
    guest, account = guest_owner(guest_cart_id), account_owner(user_id)
    checkout_keys.lock_owner(session, guest)
    checkout_keys.lock_owner(session, account)
    checkout_keys.change_owner(session, guest, account)
    KeyStore.change_owner(session, guest, account, CART_ROUTES)
