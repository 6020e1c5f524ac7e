"""HTTP client of the running store. The lab uses the store only over HTTP."""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx

from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.errors import ConfigurationError, ServiceUnavailable
from shop.faults import NONE
from shop.lab.loopback import check_loopback
from shop.money import CURRENCY
from shop.switches.parameters import WEB_PROCESSES

API = "/api/v1"
TIMEOUT_S = 20.0
PAGE_SIZE = 100
"""The most products of one page of the product list."""
READY_TIMEOUT_S = 60.0
READY_POLL_S = 0.1
APPLY_TIMEOUT_S = 10.0
"""Ten times as long as a process of a healthy store needs."""
APPLY_POLL_S = 0.05
PROCESSES_TIMEOUT_S = 60.0
"""A web process starts in a second, and in many on a busy machine."""
FAULTABLE = frozenset({"postgres", "cache", "broker", "payments"})
"""The dependencies that faults affect, by their names in ``/readyz``."""
WARM_UP_THREADS = 8
MIN_STOCK = 20


class StoreClient:
    """A client of the running store.

    Args:
        base_url: its address.

    Raises:
        ConfigurationError: the address belongs to another machine.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = check_loopback(base_url)
        self._client = httpx.Client(base_url=self.base_url, timeout=TIMEOUT_S, trust_env=False)
        self._token: str | None = None
        self._log_in = threading.Lock()  # several threads may need the token: one log-in is enough

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check_ready(self) -> None:
        """Check that the store can be measured.

        Raises:
            ConfigurationError: it does not run, is not ready, or does not run in the lab profile.
        """
        try:
            ready = self._client.get("/readyz")
        except httpx.HTTPError as error:
            raise ConfigurationError(
                f"No store answers at {self.base_url} ({type(error).__name__}): start it with `bin/shop up`, "
                "or give its address with --url."
            ) from None
        if ready.status_code != 200:
            raise ConfigurationError(f"The store at {self.base_url} is not ready: see {self.base_url}/readyz.")
        if self._client.get(f"{API}/switches").status_code != 200:
            raise ConfigurationError(
                f"The store at {self.base_url} shows no switches: experiments need the lab profile (SHOP_PROFILE=lab)."
            )

    def switches(self) -> dict[str, str]:
        """Return the value of every switch."""
        return {switch["name"]: switch["value"] for switch in self._get(f"{API}/switches")["items"]}

    def default_of(self, name: str) -> str:
        """Return the value that a switch has until it is set: the store's own, correct code.

        Raises:
            ServiceUnavailable: the store has no such switch, or does not answer.
        """
        defaults = {switch["name"]: str(switch["default"]) for switch in self._get(f"{API}/switches")["items"]}
        if name not in defaults:
            raise ServiceUnavailable(f"The running store has no switch {name}. Is the store older than this checkout?")
        return defaults[name]

    def attempt_report(self, switch: str) -> Mapping[str, Any]:
        """Return what the store says about the reader's code at a switch; empty if no begun exercise has that switch.

        Args:
            switch: its name.
        """
        items = self._get(f"{API}/lab/attempts")["items"]
        return next((item for item in items if item["switch"] == switch), {})

    def set_switch(self, name: str, value: str) -> None:
        """Set one switch.

        Raises:
            ConfigurationError: the store refuses the name or the value.
            ServiceUnavailable: the store does not answer.
        """
        self._put(f"{API}/switches/{name}", {"value": value}, f"{name}={value}")

    def wait_applied(self, timeout_s: float = APPLY_TIMEOUT_S) -> None:
        """Wait until every web process applies the stored values of switches and parameters.

        Raises:
            ConfigurationError: the running store is of an earlier release, which does not tell.
            ServiceUnavailable: a process does not apply them in time.
        """
        deadline = time.monotonic() + timeout_s
        while not (answer := self._get(f"{API}/switches")).get("applied"):
            if "applied" not in answer:
                raise ConfigurationError(f"The store at {self.base_url} is older than this command: start it again.")
            if time.monotonic() > deadline:
                raise ServiceUnavailable(
                    f"A web process of the store applies no change of a switch: see {self.base_url}/readyz. If the"
                    " checkout was updated while the store ran, start the store again."
                )
            time.sleep(APPLY_POLL_S)

    def faults(self) -> dict[str, str]:
        """Return the faults that this store's stack offers, each with its active value."""
        return {item["name"]: item["value"] for item in self._get(f"{API}/faults")["items"] if item["offered"]}

    def set_fault(self, name: str, value: str) -> None:
        """Set one fault, or clear it with ``none``; the change is active when the method returns.

        Raises:
            ConfigurationError: the store refuses the fault.
            ServiceUnavailable: the fault was not applied.
        """
        self._put(f"{API}/faults/{name}", {"value": value}, f"fault {name}={value}")

    def clear_faults(self) -> None:
        """Clear every fault, and wait until the store is ready again.

        Raises:
            ServiceUnavailable: the store does not become ready.
        """
        active = [name for name, value in self.faults().items() if value != NONE]
        for name in active:
            self.set_fault(name, NONE)
        if active:
            self.wait_ready()

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until the store is ready and every dependency that faults affect is healthy.

        Raises:
            ServiceUnavailable: the store does not become ready.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                response = self._client.get("/readyz")
                states = {name: dependency["state"] for name, dependency in response.json()["dependencies"].items()}
                if response.status_code == 200 and all(states[name] == "ok" for name in FAULTABLE & set(states)):
                    return
            time.sleep(READY_POLL_S)
        raise ServiceUnavailable(f"The store is not ready after {timeout_s:.0f} s: see {self.base_url}/readyz.")

    def parameters(self) -> dict[str, float]:
        """Return the store parameters that have a value now."""
        items = self._get(f"{API}/lab/knobs")["items"]
        return {item["name"]: item["value"] for item in items if item["value"] is not None}

    def set_parameter(self, name: str, value: float) -> None:
        """Set one store parameter.

        Raises:
            ConfigurationError: the store refuses it.
            ServiceUnavailable: the store does not answer.
        """
        self._put(f"{API}/lab/knobs/{name}", {"value": value}, f"{name}={value:g}")
        if name == WEB_PROCESSES:
            self._wait_processes(int(value))

    def _wait_processes(self, count: int) -> None:
        """Wait until so many web processes answer."""
        deadline = time.monotonic() + PROCESSES_TIMEOUT_S
        while (found := self.workers()) != count:
            if time.monotonic() > deadline:
                raise ServiceUnavailable(f"The store has {found} web processes and not {count}: see `bin/shop status`.")
            time.sleep(APPLY_POLL_S)

    def workers(self) -> int:
        """Return the number of web processes."""
        return int(self._get(f"{API}/lab/figures")["workers"])

    def metrics_port(self) -> int:
        """Return the port of the store's metrics on this machine."""
        return int(self._get(f"{API}/lab/figures")["metrics_port"])

    def load_count(self, ttl_class: str) -> int:
        """Return how often all web processes together have loaded a value of a TTL class since their start."""
        return int(self._get(f"{API}/lab/figures")["loads"].get(ttl_class, 0))

    def evicted_keys(self) -> int | None:
        """Return how many entries Valkey has evicted since its start; ``None`` if the store does not know."""
        count = self._get(f"{API}/lab/cache")["evicted_keys"]
        return None if count is None else int(count)

    def visit(self, path: str) -> None:
        """Request one page or API call, so that its cache entry is warm.

        Raises:
            ServiceUnavailable: the request fails.
        """
        self._get(path, parse=False)

    def cache_status(self, path: str) -> str:
        """Request one page or API call, and return its ``Cache-Status`` header; empty if it has none.

        Raises:
            ServiceUnavailable: the request fails.
        """
        return str(self._request(path).headers.get("Cache-Status", ""))

    def fetch(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Request one page or API call, and return the response with its headers.

        Args:
            path: begins with a slash.
            headers: of the request.

        Raises:
            ServiceUnavailable: the request fails.
        """
        return self._request(path, headers=headers)

    def fetch_any(
        self, path: str, headers: Mapping[str, str] | None = None, query: Mapping[str, str | int] | None = None
    ) -> httpx.Response:
        """Request one page or API call, and return its response, whatever its status.

        Raises:
            ServiceUnavailable: there is no response.
        """
        try:
            return self._client.get(path, headers=headers, params=query)
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"The store did not answer {path}: {type(error).__name__}.") from None

    def admin_headers(self) -> Mapping[str, str]:
        """Return the header that identifies the administrator of the demo data.

        Raises:
            ConfigurationError: the account does not exist.
            ServiceUnavailable: the store does not answer.
        """
        with self._log_in:
            if self._token is None:
                body = {"email": ADMIN.email, "password": DEMO_PASSWORD}
                self._token = self._send("POST", f"{API}/tokens", body, f"the log-in of {ADMIN.email}").json()["token"]
        return {"Authorization": f"Bearer {self._token}"}

    def visit_all(self, paths: Sequence[str]) -> None:
        """Request several paths, some at a time.

        Raises:
            ServiceUnavailable: a request fails.
        """
        with ThreadPoolExecutor(WARM_UP_THREADS) as threads:
            for future in [threads.submit(self.visit, path) for path in paths]:
                future.result()

    def price(self, slug: str) -> int:
        """Return the current price of a product, past every cache: the response to an edit that changes nothing."""
        return int(self._patch_product(slug, {"title": self.title(slug)})["price"]["amount"])

    def title(self, slug: str) -> str:
        """Return the title of a product."""
        return str(self._get(f"{API}/products/{slug}")["title"])

    def update_product(self, slug: str, **fields: Any) -> None:
        """Change a product as the administrator of the demo data.

        Raises:
            ConfigurationError: the account does not exist, or the store refuses the change.
            ServiceUnavailable: the store does not answer.
        """
        self._patch_product(slug, fields)

    def sell_product(self, slug: str, title: str, category: str, on_hand: int = 0) -> None:
        """Add a product, or sell it again if it exists; afterwards, no cache has a response about it.

        Args:
            slug: of a product that only the caller uses.
            title: of a new product.
            category: slug of the category of a new product.
            on_hand: its pieces in stock.

        Raises:
            ConfigurationError: the store refuses the product.
            ServiceUnavailable: the store does not answer.
        """
        change, headers = f"the product {slug}", self.admin_headers()
        path = f"{API}/admin/products"
        again = {"withdrawn": False, "on_hand": on_hand}
        if self._send("PATCH", f"{path}/{slug}", again, change, headers, absent=True).status_code == 404:
            price = {"amount": 100, "currency": CURRENCY}
            body = {"slug": slug, "title": title, "category": category, "price": price, "on_hand": on_hand}
            self._send("POST", path, body, change, headers)

    def withdraw_product(self, slug: str) -> None:
        """Withdraw a product, if it exists.

        Raises:
            ServiceUnavailable: the store does not answer.
        """
        change = f"the withdrawal of {slug}"
        self._send("DELETE", f"{API}/admin/products/{slug}", None, change, self.admin_headers(), absent=True)

    def available(self, slug: str) -> int:
        """Return how many pieces of a product can be sold now.

        Raises:
            ServiceUnavailable: the store does not answer.
        """
        return int(self._get(f"{API}/products/{slug}/stock")["available"])

    def product_to_edit(self) -> str:
        """Return the product that experiments edit: a popular one with enough stock.

        Raises:
            ConfigurationError: there is no such product.
        """
        for slug in self.products(PAGE_SIZE):
            if self.available(slug) >= MIN_STOCK:
                return slug
        raise ConfigurationError("No popular product has enough stock: add data with `bin/shop seed`.")

    def products(self, count: int) -> tuple[str, ...]:
        """Return the slugs of the most popular products, the most popular first.

        Raises:
            ConfigurationError: the store has no products.
        """
        slugs: list[str] = []
        cursor: str | None = ""
        while cursor is not None and len(slugs) < count:
            query: Mapping[str, str | int] = {
                "sort": "popularity",
                "limit": PAGE_SIZE,
                **({"cursor": cursor} if cursor else {}),
            }
            page = self._get(f"{API}/products", query)
            slugs += [item["slug"] for item in page["items"]]
            cursor = page["next_cursor"]
        if not slugs:
            raise ConfigurationError("The store has no products yet: add data with `bin/shop seed`.")
        return tuple(slugs[:count])

    def categories(self) -> tuple[str, ...]:
        """Return the slugs of the categories that contain products."""
        tree = self._get(f"{API}/categories")["items"]
        return tuple(leaf["slug"] for node in tree for leaf in (node.get("children") or [node]))

    def size(self) -> dict[str, int]:
        """Return the numbers of products and of web processes, on which figures depend."""
        tree = self._get(f"{API}/categories")["items"]
        return {"products": sum(node["products"] for node in tree), "web_processes": self.workers()}

    def mails(self, count: int) -> list[dict[str, str]]:
        """Return the newest mails of the mailbox, at most so many.

        Raises:
            ServiceUnavailable: the store does not answer.
        """
        return list(self._get(f"{API}/lab/mail", {"limit": count})["items"])

    def _get(self, path: str, query: Mapping[str, str | int] | None = None, *, parse: bool = True) -> Any:
        response = self._request(path, query)
        try:
            return response.json() if parse else None
        except ValueError:
            raise ServiceUnavailable(f"The server at {self.base_url} is not a store: {path} is not JSON.") from None

    def _request(
        self, path: str, query: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        response = self.fetch_any(path, headers, query)
        if response.status_code != 200:
            raise ServiceUnavailable(f"The store answered {path} with {response.status_code}.")
        return response

    def _put(self, path: str, body: Mapping[str, object], change: str) -> None:
        self._send("PUT", path, body, change)

    def _patch_product(self, slug: str, fields: Mapping[str, object]) -> Any:
        path = f"{API}/admin/products/{slug}"
        return self._send("PATCH", path, fields, f"a change of {slug}", self.admin_headers()).json()

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        change: str,
        headers: Mapping[str, str] | None = None,
        *,
        absent: bool = False,
    ) -> httpx.Response:
        """Send a change; ``absent``: a 404 is a valid result, and not a refusal."""
        try:
            response = self._client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"The store did not accept {change}: {type(error).__name__}.") from None
        if response.status_code >= 500 or response.status_code == 429:
            raise ServiceUnavailable(f"The store did not accept {change}: {response.text.strip()[:200]}")
        if response.status_code >= 400 and not (absent and response.status_code == 404):
            raise ConfigurationError(f"The store refuses {change}: {response.text.strip()[:200]}")
        return response
