"""The running store as the lab sees it: HTTP, and nothing else."""

from collections.abc import Mapping
from typing import Any

import httpx

from shop.errors import ConfigurationError, Unavailable
from shop.lab.hosts import check_loopback

API = "/api/v1"
TIMEOUT_S = 10.0
PAGE = 100
"""Products a list call gives at most."""


class Store:
    """A client of the running store.

    Args:
        base_url: where it listens.

    Raises:
        ConfigurationError: the address is not of this machine.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = check_loopback(base_url)
        self._client = httpx.Client(base_url=self.base_url, timeout=TIMEOUT_S, trust_env=False)

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def check_ready(self) -> None:
        """Return when the store is fit to be measured.

        Raises:
            ConfigurationError: it does not run, is not ready, or does not run in the lab profile.
        """
        try:
            ready = self._client.get("/readyz")
        except httpx.HTTPError as error:
            raise ConfigurationError(
                f"No store answers at {self.base_url} ({type(error).__name__}): start it with `shop up`, "
                "or say where it is with --url."
            ) from None
        if ready.status_code != 200:
            raise ConfigurationError(f"The store at {self.base_url} is not ready: see {self.base_url}/readyz.")
        if self._client.get(f"{API}/switches").status_code != 200:
            raise ConfigurationError(
                f"The store at {self.base_url} shows no switches: experiments need the lab profile (SHOP_PROFILE=lab)."
            )

    def switches(self) -> dict[str, str]:
        """Return how every switch stands."""
        return {switch["name"]: switch["value"] for switch in self._get(f"{API}/switches")["items"]}

    def set_switch(self, name: str, value: str) -> None:
        """Flip one switch.

        Raises:
            ConfigurationError: the store refuses the name or the value.
            Unavailable: the store does not answer.
        """
        try:
            answer = self._client.put(f"{API}/switches/{name}", json={"value": value})
        except httpx.HTTPError as error:
            raise Unavailable(f"The store did not take {name}={value}: {type(error).__name__}.") from None
        if answer.status_code >= 400:
            raise ConfigurationError(f"The store refuses {name}={value}: {answer.text.strip()[:200]}")

    def products(self, count: int) -> tuple[str, ...]:
        """Return the slugs of the most popular products, the most popular first.

        Raises:
            ConfigurationError: there are none.
        """
        slugs: list[str] = []
        cursor: str | None = ""
        while cursor is not None and len(slugs) < count:
            query: Mapping[str, str | int] = {
                "sort": "popularity",
                "limit": PAGE,
                **({"cursor": cursor} if cursor else {}),
            }
            page = self._get(f"{API}/products", query)
            slugs += [item["slug"] for item in page["items"]]
            cursor = page["next_cursor"]
        if not slugs:
            raise ConfigurationError("The store sells nothing yet: fill it with `shop seed`.")
        return tuple(slugs[:count])

    def categories(self) -> tuple[str, ...]:
        """Return the slugs of the categories products stand in."""
        tree = self._get(f"{API}/categories")["items"]
        return tuple(leaf["slug"] for node in tree for leaf in (node.get("children") or [node]))

    def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        try:
            answer = self._client.get(path, params=query)
        except httpx.HTTPError as error:
            raise Unavailable(f"The store did not answer {path}: {type(error).__name__}.") from None
        if answer.status_code != 200:
            raise Unavailable(f"The store answered {path} with {answer.status_code}.")
        return answer.json()
