"""What a guest has begun to buy, in the hands of the account she signs in to.

Problem: a cart changes hands while an order of it is still being paid. If only its lines moved, the account would hold
what is being bought already, under a name that knows of no order, and would pay for it a second time.
Method: the claim on the cart moves with its lines, in one transaction: the orders placed from it, under the keys they
were placed with, and the answers kept of changes of the cart. From then on the account's checkout meets the open
order as its own would be met, and what is settled later leaves the account's cart. Whose order it is does not change
here: address and right to cancel stay with the guest until the account adopts the order.
"""

import uuid

from sqlalchemy.orm import Session

from shop.cart.service import CartOwner
from shop.checkout.phases import owner_name
from shop.orders import order_stream
from shop.patterns.idempotency.key_store import KeyStore

CART_ROUTES = ("% /api/v1/cart/%", "% /cart/%")
"""What was answered there tells of the cart alone. Answers that tell of an order stay with the guest, whose it is; an
order remembers the key of its checkout itself."""


def move_claims(session: Session, guest_cart_id: uuid.UUID, user_id: int) -> None:
    """Move a guest's claims to an account, before her cart is locked and moved in the same transaction.

    A checkout under way on either side is waited for until it is placed; then it is among what moves, or it has seen
    the cart before anything moved.
    """
    guest, account = owner_name(CartOwner(guest_cart_id=guest_cart_id)), owner_name(CartOwner(user_id=user_id))
    if guest is None or account is None:
        raise ValueError("both a guest's cart and an account are needed")
    order_stream.lock_owner(session, guest)
    order_stream.lock_owner(session, account)
    order_stream.move_claims(session, guest, account)
    KeyStore.change_owner(session, guest, account, CART_ROUTES)
