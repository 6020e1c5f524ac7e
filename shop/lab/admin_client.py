"""Client of the running store's admin pages."""

import re
from contextlib import suppress
from typing import Self

import httpx

from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.errors import ServiceUnavailable
from shop.lab.loopback import check_loopback
from shop.lab.store_client import API, TIMEOUT_S

ORDER_NUMBER = re.compile(r">(S-[2-9A-Z]{4}-[2-9A-Z]{4})<")
"""An order's number in the HTML of the order list."""


class AdminClient:
    """An HTTP client that is logged in as the administrator of the demo data.

    Args:
        base_url: the store's address.

    Raises:
        ServiceUnavailable: the store refuses the log-in.
    """

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=check_loopback(base_url), timeout=TIMEOUT_S, trust_env=False)
        credentials = {"email": ADMIN.email, "password": DEMO_PASSWORD}
        if self._client.post(f"{API}/session", json=credentials).status_code != 200:
            raise ServiceUnavailable(f"The store refuses the log-in of {ADMIN.email}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._client.close()

    def paid_order_numbers(self) -> set[str]:
        """Return the order numbers on the first page of paid orders, the page with the newest."""
        with suppress(httpx.HTTPError):
            return set(ORDER_NUMBER.findall(self._client.get("/admin/orders", params={"status": "paid"}).text))
        return set()

    def cancel_order(self, public_id: str) -> None:
        """Cancel an order of any customer."""
        with suppress(httpx.HTTPError):
            self._client.post(f"{API}/orders/{public_id}/cancel")

    def ship_order(self, public_id: str) -> int:
        """Ship an order of any customer; return the HTTP status of the response, 0 if there is none."""
        with suppress(httpx.HTTPError):
            return self._client.post(f"{API}/admin/orders/{public_id}/ship").status_code
        return 0
