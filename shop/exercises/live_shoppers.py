"""Shoppers of a live comparison: guests with carts of their own, whose orders are cancelled at the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import httpx

from shop.exercises.live_arm import REQUEST_TIMEOUT_S, LiveArm, LiveRequest
from shop.exercises.verdict import CannotJudge
from shop.lab.guest_client import CHECKOUT_DETAILS, tls_context
from shop.lab.source_addresses import simulated_client
from shop.lab.store_client import API


@contextmanager
def shoppers_with_carts(arm: LiveArm, count: int, slugs: Sequence[str] = ()) -> Iterator[list[httpx.Client]]:
    """Yield clients of guests, each with one piece of a product in the cart; cancel all their orders at the end.

    Args:
        arm: of the comparison.
        count: number of guests.
        slugs: the products, taken in turn; by default all own products.

    Raises:
        CannotJudge: a cart cannot be filled.
    """
    products = slugs or arm.products
    guests = [simulated_client(arm.store.base_url, REQUEST_TIMEOUT_S, tls_context()) for _ in range(count)]
    try:
        arm.in_parallel(
            [partial(_fill_cart, guest, products[number % len(products)]) for number, guest in enumerate(guests)]
        )
        yield guests
    finally:
        arm.in_parallel([partial(_cancel_orders, guest) for guest in guests])
        for guest in guests:
            guest.close()


def checkout(guest: httpx.Client, key: str) -> LiveRequest:
    """Return the request that checks out a guest's cart; 201 with the order if she gets it.

    Args:
        guest: her client.
        key: the ``Idempotency-Key``.
    """
    return LiveRequest(f"{API}/checkout", "POST", {"Idempotency-Key": key}, CHECKOUT_DETAILS, guest)


def orders_of(guest: httpx.Client) -> list[Any]:
    """Return a guest's orders, the newest first; none if she has none."""
    with suppress(httpx.HTTPError, ValueError, KeyError):
        return list(guest.get(f"{API}/orders").json()["items"])
    return []


def _fill_cart(guest: httpx.Client, slug: str) -> None:
    try:
        response = guest.post(f"{API}/cart/items", json={"product": slug, "quantity": 1})
    except httpx.HTTPError as error:
        raise CannotJudge(f"The cart could not be filled ({type(error).__name__}): see `bin/shop status`.") from None
    if response.status_code >= 400:
        raise CannotJudge(f"The store refused {slug} for the cart: {response.status_code} {response.text[:200]}")


def _cancel_orders(guest: httpx.Client) -> None:
    with suppress(httpx.HTTPError):
        for order in orders_of(guest):
            guest.post(f"{API}/orders/{order['id']}/cancel")
