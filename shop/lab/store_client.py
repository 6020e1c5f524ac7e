"""The running store as the lab sees it: HTTP, and nothing else."""

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

API = "/api/v1"
TIMEOUT_S = 20.0
PAGE_SIZE = 100
"""Products a list call gives at most."""
READY_TIMEOUT_S = 60.0
READY_POLL_S = 0.1
FAULTABLE = frozenset({"postgres", "cache", "broker", "payments"})
"""What faults are done to, by the names ``/readyz`` gives it."""
WARM_UP_THREADS = 8
MIN_STOCK = 20


class StoreClient:
    """A client of the running store.

    Args:
        base_url: where it listens.

    Raises:
        ConfigurationError: the address is not of this machine.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = check_loopback(base_url)
        self._client = httpx.Client(base_url=self.base_url, timeout=TIMEOUT_S, trust_env=False)
        self._token: str | None = None

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
            ServiceUnavailable: the store does not answer.
        """
        self._put(f"{API}/switches/{name}", {"value": value}, f"{name}={value}")

    def faults(self) -> dict[str, str]:
        """Return the faults this store's stack offers, and what is in force."""
        return {item["name"]: item["value"] for item in self._get(f"{API}/faults")["items"] if item["offered"]}

    def set_fault(self, name: str, value: str) -> None:
        """Break one dependency, or mend it with ``none``; in force when this returns.

        Raises:
            ConfigurationError: the store refuses it.
            ServiceUnavailable: it was not carried out.
        """
        self._put(f"{API}/faults/{name}", {"value": value}, f"fault {name}={value}")

    def clear_faults(self) -> None:
        """End every fault, and wait until the store is ready again.

        Raises:
            ServiceUnavailable: it does not get ready.
        """
        broken = [name for name, value in self.faults().items() if value != NONE]
        for name in broken:
            self.set_fault(name, NONE)
        if broken:
            self.wait_ready()

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until the store says it is ready, with everything that faults are done to.

        Raises:
            ServiceUnavailable: it does not get ready.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                answer = self._client.get("/readyz")
                parts = answer.json()["dependencies"]
                if answer.status_code == 200 and all(parts[name]["state"] == "ok" for name in FAULTABLE & set(parts)):
                    return
            time.sleep(READY_POLL_S)
        raise ServiceUnavailable(f"The store is not ready after {timeout_s:.0f} s: see {self.base_url}/readyz.")

    def parameters(self) -> dict[str, float]:
        """Return how the knobs stand that can be turned."""
        items = self._get(f"{API}/lab/knobs")["items"]
        return {item["name"]: item["value"] for item in items if item["value"] is not None}

    def set_parameter(self, name: str, value: float) -> None:
        """Turn one knob.

        Raises:
            ConfigurationError: the store refuses it.
            ServiceUnavailable: the store does not answer.
        """
        self._put(f"{API}/lab/knobs/{name}", {"value": value}, f"{name}={value:g}")

    def workers(self) -> int:
        """Return how many web processes share the work."""
        return int(self._get(f"{API}/lab/figures")["workers"])

    def metrics_port(self) -> int:
        """Return where the store shows its figures, on this machine."""
        return int(self._get(f"{API}/lab/figures")["metrics_port"])

    def load_count(self, ttl_class: str) -> int:
        """Return how often a value of a class was made afresh, by all web processes, since they were started."""
        return int(self._get(f"{API}/lab/figures")["loads"].get(ttl_class, 0))

    def evicted_keys(self) -> int | None:
        """Return how many entries Valkey has evicted since it was started; ``None`` where it does not say."""
        count = self._get(f"{API}/lab/cache")["evicted_keys"]
        return None if count is None else int(count)

    def visit(self, path: str) -> None:
        """Ask for one page or call, so that it is warm.

        Raises:
            ServiceUnavailable: it is not answered well.
        """
        self._get(path, parse=False)

    def visit_all(self, paths: Sequence[str]) -> None:
        """Ask for many, several at once.

        Raises:
            ServiceUnavailable: one is not answered well.
        """
        with ThreadPoolExecutor(WARM_UP_THREADS) as visitors:
            for done in [visitors.submit(self.visit, path) for path in paths]:
                done.result()

    def price(self, slug: str) -> int:
        """Return what a product costs now, past every cache: as a change that changes nothing answers it."""
        return int(self._patch_product(slug, {"title": self.title(slug)})["price"]["amount"])

    def title(self, slug: str) -> str:
        """Return what a product is called."""
        return str(self._get(f"{API}/products/{slug}")["title"])

    def update_product(self, slug: str, **fields: Any) -> None:
        """Change a product, as the demo data's administrator.

        Raises:
            ConfigurationError: there is no such account, or the store refuses the change.
            ServiceUnavailable: the store does not answer.
        """
        self._patch_product(slug, fields)

    def available(self, slug: str) -> int:
        """Return how many pieces of a product can be sold now.

        Raises:
            ServiceUnavailable: the store does not say.
        """
        return int(self._get(f"{API}/products/{slug}/stock")["available"])

    def product_to_edit(self) -> str:
        """Return the product experiments edit: a popular one of which enough is there to be bought.

        Raises:
            ConfigurationError: there is none.
        """
        for slug in self.products(PAGE_SIZE):
            if self.available(slug) >= MIN_STOCK:
                return slug
        raise ConfigurationError("No popular product has enough stock: fill the store with `shop seed`.")

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
                "limit": PAGE_SIZE,
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

    def mails(self, count: int) -> list[dict[str, str]]:
        """Return the newest mails of the mailbox, at most so many.

        Raises:
            ServiceUnavailable: the store does not say.
        """
        return list(self._get(f"{API}/lab/mail", {"limit": count})["items"])

    def _get(self, path: str, query: Mapping[str, str | int] | None = None, *, parse: bool = True) -> Any:
        try:
            answer = self._client.get(path, params=query)
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"The store did not answer {path}: {type(error).__name__}.") from None
        if answer.status_code != 200:
            raise ServiceUnavailable(f"The store answered {path} with {answer.status_code}.")
        try:
            return answer.json() if parse else None
        except ValueError:
            raise ServiceUnavailable(f"What listens at {self.base_url} is no store: {path} is no JSON.") from None

    def _put(self, path: str, body: Mapping[str, object], what: str) -> None:
        self._send("PUT", path, body, what)

    def _patch_product(self, slug: str, fields: Mapping[str, object]) -> Any:
        if self._token is None:
            words = {"email": ADMIN.email, "password": DEMO_PASSWORD}
            self._token = self._send("POST", f"{API}/tokens", words, f"the log-in of {ADMIN.email}").json()["token"]
        path, what = f"{API}/admin/products/{slug}", f"a change of {slug}"
        return self._send("PATCH", path, fields, what, {"Authorization": f"Bearer {self._token}"}).json()

    def _send(
        self, method: str, path: str, body: Mapping[str, object], what: str, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"The store did not take {what}: {type(error).__name__}.") from None
        if answer.status_code >= 500:
            raise ServiceUnavailable(f"The store did not take {what}: {answer.text.strip()[:200]}")
        if answer.status_code >= 400:
            raise ConfigurationError(f"The store refuses {what}: {answer.text.strip()[:200]}")
        return answer
