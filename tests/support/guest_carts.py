"""Guests' carts with products, and browsers with the cookie of such a cart."""

import uuid
from collections.abc import Mapping

from flask.testing import FlaskClient

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.database.transactions import Database


def guest_with_cart(database: Database, items: Mapping[str, int]) -> CartOwner:
    """Put products into the cart of a new guest.

    Args:
        database: of the store.
        items: slug of each product to the number of pieces.
    """
    owner, carts = CartOwner(guest_cart_id=uuid.uuid4()), CartService(database, offers)
    for slug, pieces in items.items():
        carts.add(owner, slug, pieces)
    return owner


def carry_cart(client: FlaskClient, owner: CartOwner) -> FlaskClient:
    """Give a browser the cookie of a guest's cart; return the browser."""
    with client.session_transaction() as session:
        session["cart"] = str(owner.guest_cart_id)
    return client
