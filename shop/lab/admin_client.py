"""The administrator of the running store, at the pages people use."""

import re
from contextlib import suppress
from typing import Self

import httpx

from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.errors import ServiceUnavailable
from shop.lab.loopback import check_loopback
from shop.lab.store_client import API, TIMEOUT_S

ORDER_NUMBER = re.compile(r">(S-[2-9A-Z]{4}-[2-9A-Z]{4})<")
"""An order's number, as the list shows it."""


class AdminClient:
    """The administrator at her pages.

    Args:
        base_url: where the store listens.

    Raises:
        ServiceUnavailable: she is not let in.
    """

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=check_loopback(base_url), timeout=TIMEOUT_S, trust_env=False)
        words = {"email": ADMIN.email, "password": DEMO_PASSWORD}
        if self._client.post(f"{API}/session", json=words).status_code != 200:
            raise ServiceUnavailable(f"The store does not let {ADMIN.email} in.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._client.close()

    def paid_order_numbers(self) -> set[str]:
        """Return the numbers on the first page of paid orders, which holds the newest."""
        with suppress(httpx.HTTPError):
            return set(ORDER_NUMBER.findall(self._client.get("/admin/orders", params={"status": "paid"}).text))
        return set()

    def cancel_order(self, public_id: str) -> None:
        """Cancel an order, whosever it is."""
        with suppress(httpx.HTTPError):
            self._client.post(f"{API}/orders/{public_id}/cancel")
