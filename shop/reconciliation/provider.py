"""The provider's side: its own list of charges, read page by page as any customer of it could."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from shop.errors import ConfigurationError

PAGE = 1_000
TIMEOUT_S = 30.0
"""A list is no checkout: it may take a while, and nobody waits behind it."""


@dataclass(frozen=True, slots=True)
class ProviderCharge:
    """One charge in the provider's books; amounts in minor units."""

    id: str
    key: str
    amount: int
    currency: str
    succeeded: bool
    refunded: int
    order: str
    """The order's number, where the store sent it along."""
    created_at: datetime

    @property
    def kept(self) -> int:
        """Return what of it the customer has paid and not got back."""
        return self.amount - self.refunded if self.succeeded else 0


def charges(base_url: str, api_key: str) -> list[ProviderCharge]:
    """Return every charge the provider knows.

    Raises:
        ConfigurationError: it cannot be asked: then nothing can be said either.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        with httpx.Client(base_url=base_url, headers=headers, timeout=TIMEOUT_S) as client:
            return [_charge(item) for item in _items(client)]
    except httpx.HTTPError as error:
        raise ConfigurationError(f"The payments provider cannot be asked for its charges: {error}") from error


def _items(client: httpx.Client) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        answer = client.get("/charges", params={"after": after, "limit": PAGE})
        answer.raise_for_status()
        page = answer.json()["items"]
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["id"]


def _charge(item: dict[str, Any]) -> ProviderCharge:
    return ProviderCharge(
        id=item["id"],
        key=item["key"],
        amount=item["amount"],
        currency=item["currency"],
        succeeded=item["status"] == "succeeded",
        refunded=item["refunded"],
        order=item["metadata"].get("order", ""),
        created_at=datetime.fromisoformat(item["created_at"]),
    )
