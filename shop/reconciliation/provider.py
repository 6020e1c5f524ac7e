"""The provider's side: its list of charges, fetched page by page with the provider's public API."""

from dataclasses import dataclass
from datetime import datetime

import httpx

from shop.errors import ConfigurationError

PAGE_SIZE = 1_000
TIMEOUT_S = 30.0
"""It is longer than the timeout of a checkout, because no customer waits for the list."""


@dataclass(frozen=True, slots=True)
class ProviderCharge:
    """One charge of the provider; amounts are in minor units."""

    id: str
    key: str
    amount: int
    currency: str
    succeeded: bool
    refunded: int
    order: str
    """The order's number, if the store sent it with the charge; else empty."""
    created_at: datetime

    @property
    def net_amount(self) -> int:
        """Return the amount the customer has paid, less refunds."""
        return self.amount - self.refunded if self.succeeded else 0


def fetch_charges(base_url: str, api_key: str, after: str = "") -> list[ProviderCharge]:
    """Return every charge of the provider, the oldest first.

    Args:
        base_url: of the provider.
        api_key: empty if it needs none.
        after: begin after the charge with this id; empty: with the first charge.

    Raises:
        ConfigurationError: the provider does not answer, so no audit is possible.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    items = []
    try:
        with httpx.Client(base_url=base_url, headers=headers, timeout=TIMEOUT_S) as client:
            while True:  # keyset pagination: each page begins after the last id of the page before it
                response = client.get("/charges", params={"after": after, "limit": PAGE_SIZE})
                response.raise_for_status()
                page = response.json()["items"]
                items += page
                if len(page) < PAGE_SIZE:
                    break
                after = page[-1]["id"]
    except httpx.HTTPError as error:
        raise ConfigurationError(f"The payments provider cannot be asked for its charges: {error}") from error
    return [
        ProviderCharge(
            id=item["id"],
            key=item["key"],
            amount=item["amount"],
            currency=item["currency"],
            succeeded=item["status"] == "succeeded",
            refunded=item["refunded"],
            order=item["metadata"].get("order", ""),
            created_at=datetime.fromisoformat(item["created_at"]),
        )
        for item in items
    ]
