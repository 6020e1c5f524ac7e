"""Guests' browsers, for tests of what becomes of the orders they place."""

import re

from shop.cart.service import CartService
from shop.catalog import offers
from tests.support.checkout_processes import DETAILS
from tests.support.guest_carts import carry_cart, guest_with_cart

FORM = {**DETAILS["address"], "email": DETAILS["email"], "token": "tok_ok"}


def browser(client, database):
    """Let a browser carry a guest with a mug in the cart; ``owner`` is what her cookie says of her."""
    client.owner = guest_with_cart(database, {"mug": 1})
    client.fill = lambda: CartService(database, offers).add(client.owner, "mug", 1)
    return carry_cart(client, client.owner)


def check_out(client, key="the-key", **more):
    """Buy as a program does."""
    return client.post("/api/v1/checkout", json={**DETAILS, **more}, headers={"Idempotency-Key": key})


def lines(client):
    """Return the field by which the form agrees to the lines it shows."""
    return {"lines": re.search(r'name="lines" value="(\w+)"', client.get("/checkout").text)[1]}


def buy_by_form(client, key="the-key", **more):
    """Buy as a browser does: see the form, send it; return the order's address."""
    client.fill()
    return client.post("/checkout", data={**FORM, **lines(client), "key": key, **more}).location


def copy_cookie(source, target):
    """Plant one browser's guest cookie in another."""
    target.set_cookie("session", source.get_cookie("session").value)
    target.fill = source.fill
    return target


def opens(client, order):
    """Tell how a browser meets an order: its page, its place in the list, its cancelling."""
    public_id = order.rpartition("/")[2]
    page, cancelled = client.get(f"/orders/{public_id}"), client.post(f"/api/v1/orders/{public_id}/cancel")
    return page.status_code, public_id in client.get("/orders").text, cancelled.status_code
