"""HTTP client that acts as a guest of the running store: fills a cart, checks out, cancels."""

import secrets
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Self

import httpx

from shop.lab.source_addresses import simulated_client
from shop.lab.store_client import API, TIMEOUT_S

RETRY_EVERY_S = 0.2
REFUSED = "refused"
"""The outcome of a checkout that ended with a final response and without an order."""
CHECKOUT_DETAILS: Mapping[str, object] = {
    "email": "lab@shop.test",
    "address": {"name": "Lab", "line1": "1 Bench Street", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}

tls_context = cache(ssl.create_default_context)
"""One TLS context for all guests: to create one for each of a hundred guests takes seconds."""


class GuestClient:
    """A guest that buys one piece of a product and can cancel the order. For the store, each guest is a client.

    Args:
        base_url: the store's address.
        address: the guest's; a new one by default.
    """

    def __init__(self, base_url: str, address: str | None = None) -> None:
        self._client = simulated_client(base_url, TIMEOUT_S, tls_context(), address)
        self._order = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def add_to_cart(self, slug: str) -> None:
        """Put one piece of a product into the cart."""
        with suppress(httpx.HTTPError):
            self._client.post(f"{API}/cart/items", json={"product": slug, "quantity": 1})

    def check_out(self, token: str = "tok_ok") -> str:  # noqa: S107 - a token of the simulator
        """Check out the cart; return the order's number, or an empty text if no order was placed.

        Args:
            token: the payment token.
        """
        with suppress(httpx.HTTPError):
            body = {**CHECKOUT_DETAILS, "payment": {"token": token}}
            key = {"Idempotency-Key": secrets.token_hex(16)}
            response = self._client.post(f"{API}/checkout", json=body, headers=key)
            if response.status_code == 201:
                order = response.json()["order"]
                self._order = str(order["id"])
                return str(order["number"])
        return ""

    def check_out_with_retries(self, key: str, max_wait_s: float, timeout_s: float, token: str) -> str:
        """Repeat the checkout request under one key until there is a final response.

        Returns:
            The order's number, :data:`REFUSED`, or an empty text if no final response came.

        Args:
            key: the ``Idempotency-Key`` of every attempt.
            max_wait_s: for all attempts together.
            timeout_s: for one attempt. If it is shorter than the store needs, the client never sees that response.
            token: the payment token.
        """
        body, deadline = {**CHECKOUT_DETAILS, "payment": {"token": token}}, time.monotonic() + max_wait_s
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                response = self._client.post(
                    f"{API}/checkout", json=body, headers={"Idempotency-Key": key}, timeout=timeout_s
                )
                if response.status_code == 201:
                    return str(response.json()["order"]["number"])
                if response.status_code < 500 and response.status_code != 409:
                    return REFUSED
            time.sleep(RETRY_EVERY_S)
        return ""

    def lists_paid_order(self) -> bool:
        """Tell whether the guest's own order list shows her last order as paid."""
        with suppress(httpx.HTTPError):
            orders = self._client.get(f"{API}/orders").json()["items"]
            return any(order["id"] == self._order and order["status"] == "paid" for order in orders)
        return False

    def orders(self) -> list[dict[str, Any]]:
        """Return the guest's own orders, the newest first."""
        with suppress(httpx.HTTPError):
            response = self._client.get(f"{API}/orders")
            if response.status_code == 200:  # 401: she has none
                return list(response.json()["items"])
        return []

    def cancel_orders(self) -> None:
        """Cancel each of the guest's own orders, if it can be cancelled."""
        for order in self.orders():
            with suppress(httpx.HTTPError):
                self._client.post(f"{API}/orders/{order['id']}/cancel")

    def cancel_order(self) -> None:
        """Cancel the last order, if there is one."""
        with suppress(httpx.HTTPError):
            if self._order:
                self._client.post(f"{API}/orders/{self._order}/cancel")

    def buy_and_cancel(self, slug: str) -> int | None:
        """Buy one piece and cancel; return the price paid, in minor units, or ``None`` if nothing was sold."""
        with suppress(httpx.HTTPError):
            self._client.post(f"{API}/cart/items", json={"product": slug, "quantity": 1})
            key = {"Idempotency-Key": secrets.token_hex(16)}
            response = self._client.post(f"{API}/checkout", json=CHECKOUT_DETAILS, headers=key)
            if response.status_code == 201:
                order = response.json()["order"]
                self._client.post(f"{API}/orders/{order['id']}/cancel")
                return int(order["lines"][0]["unit_price"]["amount"])
        return None
