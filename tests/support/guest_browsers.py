"""Guests' browsers, for tests of the access to their orders."""

import re

from shop.cart.service import CartService
from shop.catalog import offers
from tests.support.checkout_processes import DETAILS
from tests.support.guest_carts import carry_cart, guest_with_cart

FORM = {**DETAILS["address"], "email": DETAILS["email"], "token": "tok_ok"}


def browser(client, database):
    """Give a browser a guest's cart with a mug; ``owner`` is the guest in its cookie."""
    client.owner = guest_with_cart(database, {"mug": 1})
    client.fill = lambda: CartService(database, offers).add(client.owner, "mug", 1)
    return carry_cart(client, client.owner)


def check_out(client, key="the-key", **more):
    """Check out through the API."""
    return client.post("/api/v1/checkout", json={**DETAILS, **more}, headers={"Idempotency-Key": key})


def lines(client):
    """Return the form's field with the agreed cart lines."""
    return {"lines": re.search(r'name="lines" value="(\w+)"', client.get("/checkout").text)[1]}


def buy_by_form(client, key="the-key", **more):
    """Check out through the form; return the address of the order."""
    client.fill()
    return client.post("/checkout", data={**FORM, **lines(client), "key": key, **more}).location


def copy_cookie(source, target):
    """Copy one browser's guest cookie to another browser."""
    target.set_cookie("session", source.get_cookie("session").value)
    target.fill = source.fill
    return target


def order_access(client, order):
    """Return a browser's access to an order: status of its page, whether the list has it, status of a cancellation."""
    public_id = order.rpartition("/")[2]
    page, cancelled = client.get(f"/orders/{public_id}"), client.post(f"/api/v1/orders/{public_id}/cancel")
    return page.status_code, public_id in client.get("/orders").text, cancelled.status_code
