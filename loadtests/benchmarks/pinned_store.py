"""A store of its own on one core, with every cache off, so that each request costs what it costs."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from shop.lab.guest_client import tls_context
from shop.lab.metrics_client import MetricsClient
from shop.lab.source_addresses import simulated_client
from shop.lab.store_client import StoreClient
from shop.settings import PROJECT_ROOT
from shop.stack.program import free_port

TIMEOUT_S = 30
STORE_CORE, GENERATOR_CORE = 0, 1
CAN_PIN = hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1
UNCACHED = {"cache.edge": "off", "cache.local": "off", "cache.shared": "off", "cache.browser": "off"}


class PinnedStore:
    """A store of its own, with every cache off, on one core if the platform can.

    The payments simulator is not the store: a provider has machines of its own. It runs on the generator's core.

    Args:
        home: an empty directory.
    """

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, "SHOP_VAR_DIR": str(home / "var")}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        if CAN_PIN:
            os.sched_setaffinity(0, {STORE_CORE})  # the store inherits it
        self.shop("up", "--detach", "--port", str(self.port), "--size", "s")
        if CAN_PIN:
            os.sched_setaffinity(0, {GENERATOR_CORE})
        processes = json.loads(self.shop("status", "--json"))["processes"]
        roots = {one["name"]: one["pid"] for one in processes if one["pid"]}
        _pin(roots.pop("payments"), GENERATOR_CORE)
        self._roots = list(roots.values())
        self.client = httpx.Client(base_url=self.url, timeout=TIMEOUT_S)
        items = self.client.get("/api/v1/products?in_stock=true&limit=50").json()["items"]
        self.slugs = [item["slug"] for item in items]
        self._fill_stock()
        self.lab = StoreClient(self.url)
        self.metrics = MetricsClient(self.lab)
        self.set_switches(UNCACHED)

    def shop(self, *words: str) -> str:
        """Run a `shop` command; return its output."""
        command = [sys.executable, "-m", "shop.cli", *words]
        done = subprocess.run(
            command, env=self._environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=180
        )
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)
        return done.stdout

    def set_switches(self, values: Mapping[str, str]) -> None:
        """Set switches, and wait until every web process applies them."""
        for name, value in values.items():
            self.lab.set_switch(name, value)
        self.lab.wait_applied()

    def processor_s(self) -> float:
        """Return the processor seconds of all its processes so far."""
        seen: dict[int, float] = {}
        for root in self._roots:
            with suppress(psutil.NoSuchProcess):
                for process in (psutil.Process(root), *psutil.Process(root).children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        seen[process.pid] = sum(process.cpu_times()[:2])
        return sum(seen.values())

    def cart(self) -> str:
        """Return the cookie of a guest with one piece in the cart."""
        slug = random.choice(self.slugs)
        with simulated_client(self.url, TIMEOUT_S, tls_context()) as client:
            answer = client.post("/api/v1/cart/items", json={"product": slug})
            return answer.raise_for_status().headers["Set-Cookie"].partition(";")[0]

    def carts(self, count: int) -> list[str]:
        """Return the cookies of so many carts."""
        return [self.cart() for _ in range(count)]

    def _fill_stock(self) -> None:
        account = {"email": "admin@shop.test", "password": "let-me-shop"}
        with httpx.Client(base_url=self.url, timeout=TIMEOUT_S) as admin:
            admin.post("/api/v1/session", json=account).raise_for_status()
            for slug in self.slugs:
                admin.patch(f"/api/v1/admin/products/{slug}", json={"on_hand": 100_000}).raise_for_status()


def _pin(pid: int, core: int) -> None:
    """Move a process with its children and all their threads to a core, if the platform can."""
    if CAN_PIN:
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            for thread in process.threads():
                os.sched_setaffinity(thread.id, {core})
