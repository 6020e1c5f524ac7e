"""A guest of the running store, over HTTP: fills a cart, buys, sends back."""

import secrets
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Self

import httpx

from shop.lab.loopback import check_loopback
from shop.lab.store_client import API, TIMEOUT_S

RETRY_EVERY_S = 0.2
REFUSED = "refused"
"""What a checkout came to that has a final answer and no order."""
CHECKOUT_DETAILS: Mapping[str, object] = {
    "email": "lab@shop.test",
    "address": {"name": "Lab", "line1": "1 Bench Street", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}


@cache
def _tls_context() -> ssl.SSLContext:
    """Return what certificates are checked against. Reading it anew for each of a hundred shoppers takes seconds."""
    return ssl.create_default_context()


class GuestClient:
    """A guest who buys one piece of something, and sends it back.

    Args:
        base_url: where the store listens.
    """

    def __init__(self, base_url: str) -> None:
        address = check_loopback(base_url)
        self._client = httpx.Client(base_url=address, timeout=TIMEOUT_S, trust_env=False, verify=_tls_context())
        self._order = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connection."""
        self._client.close()

    def add_to_cart(self, slug: str) -> None:
        """Put one piece of something into the cart."""
        with suppress(httpx.HTTPError):
            self._client.post(f"{API}/cart/items", json={"product": slug, "quantity": 1})

    def check_out(self) -> str:
        """Buy what is in the cart; return the order's number, or an empty text where nothing was ordered."""
        with suppress(httpx.HTTPError):
            key = {"Idempotency-Key": secrets.token_hex(16)}
            answer = self._client.post(f"{API}/checkout", json=CHECKOUT_DETAILS, headers=key)
            if answer.status_code == 201:
                order = answer.json()["order"]
                self._order = str(order["id"])
                return str(order["number"])
        return ""

    def check_out_with_retries(self, key: str, patience_s: float, timeout_s: float, token: str) -> str:
        """Ask again and again, under one key, until there is a final answer.

        Returns:
            The order's number, :data:`REFUSED`, or an empty text where no answer ever came.

        Args:
            key: the ``Idempotency-Key`` of every try.
            patience_s: for all tries together.
            timeout_s: for one; shorter than the store takes, and its answer is never seen.
            token: what is paid with.
        """
        body, until = {**CHECKOUT_DETAILS, "payment": {"token": token}}, time.monotonic() + patience_s
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                answer = self._client.post(
                    f"{API}/checkout", json=body, headers={"Idempotency-Key": key}, timeout=timeout_s
                )
                if answer.status_code == 201:
                    return str(answer.json()["order"]["number"])
                if answer.status_code < 500 and answer.status_code != 409:
                    return REFUSED
            time.sleep(RETRY_EVERY_S)
        return ""

    def lists_paid_order(self) -> bool:
        """Tell whether the shopper's own list shows what she ordered last, and as paid."""
        with suppress(httpx.HTTPError):
            orders = self._client.get(f"{API}/orders").json()["items"]
            return any(order["id"] == self._order and order["status"] == "paid" for order in orders)
        return False

    def cancel_order(self) -> None:
        """Cancel what was ordered last, if anything was."""
        with suppress(httpx.HTTPError):
            if self._order:
                self._client.post(f"{API}/orders/{self._order}/cancel")

    def buy_and_cancel(self, slug: str) -> int | None:
        """Buy, cancel, and return what was paid for the piece, in minor units; ``None`` where nothing was sold."""
        with suppress(httpx.HTTPError):
            self._client.post(f"{API}/cart/items", json={"product": slug, "quantity": 1})
            key = {"Idempotency-Key": secrets.token_hex(16)}
            answer = self._client.post(f"{API}/checkout", json=CHECKOUT_DETAILS, headers=key)
            if answer.status_code == 201:
                order = answer.json()["order"]
                self._client.post(f"{API}/orders/{order['id']}/cancel")
                return int(order["lines"][0]["unit_price"]["amount"])
        return None
