"""Starts, calls and kills the payments simulator for tests."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from shop.payments.simulator.ledger import FILE
from shop.settings import Settings
from shop.stack.program import port_answers
from tests.support.process_cleanup import ended_on_failure

START_TIMEOUT_S = 20
THREADS = 8


class Simulator:
    """One simulator process with its own ledger, which it keeps over a restart."""

    def __init__(self, settings: Settings, home: Path) -> None:
        self.url = str(settings.payments_url)
        self.home = home
        self._output = home / "output"
        self._headers = {"Authorization": f"Bearer {settings.payments_api_key}"}
        self._environment = {
            "SHOP_VAR_DIR": str(home),
            "SHOP_PAYMENTS_TIMEOUT_MS": str(settings.payments_timeout_ms),
            "SHOP_PAYMENTS_API_KEY": settings.payments_api_key,
            "SHOP_PAYMENTS_WEBHOOK_SECRET": settings.payments_webhook_secret,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process unless it runs, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        command = ["-m", "gunicorn", "--bind", f"127.0.0.1:{urlsplit(self.url).port}", "--worker-class", "gthread"]
        command += ["--threads", str(THREADS), "--workers", "1", "shop.payments.simulator.app:create_app()"]
        with self._output.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with ended_on_failure(self.kill):
            self._wait()

    @property
    def pid(self) -> int | None:
        """Return the id of its process; ``None`` while it does not run."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def kill(self) -> None:
        """Kill the process and its worker, like a power cut."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, 9)
            self._process.wait()
            while port_answers(urlsplit(self.url).port or 0):  # until its workers are gone as well
                time.sleep(0.01)

    def charge(self, key: str, token: str = "tok_ok", amount: int = 1200, **more: Any) -> httpx.Response:
        """Request a charge, like a store."""
        body = {"amount": amount, "currency": "EUR", "token": token, **more}
        return self.post("/charges", key, body)

    def refund(self, key: str, charge: str, amount: int) -> httpx.Response:
        """Request a refund, like a store."""
        body = {"charge": charge, "amount": amount}
        return self.post("/refunds", key, body)

    def refund_by_hand(self, charge: str, amount: int) -> None:
        """Refund a charge at the provider, without a request of the store."""
        self.admin("POST", f"charges/{charge}/refunds", {"amount": amount}).raise_for_status()

    def refunds(self) -> list[int]:
        """Return the amounts of all refunds in the ledger, oldest first."""
        with closing(sqlite3.connect(self.home / FILE)) as books:
            return [amount for (amount,) in books.execute("SELECT amount FROM refunds ORDER BY rowid")]

    def post(self, path: str, key: str, body: Any, timeout_s: float = 10.0, **headers: str) -> httpx.Response:
        """Send a POST request."""
        headers = {**self._headers, "Idempotency-Key": key, **{n.replace("_", "-"): v for n, v in headers.items()}}
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=timeout_s)

    def get(self, path: str = "/charges", **params: Any) -> httpx.Response:
        """Send a GET request."""
        return httpx.get(f"{self.url}{path}", params=params, headers=self._headers, timeout=10)

    def charges(self, key: str) -> list[dict[str, Any]]:
        """Return the charges in the ledger under a key."""
        return list(self.get(key=key).json()["items"])

    def admin(self, method: str, path: str, manners: Any = None) -> httpx.Response:
        """Send a request to the administration API."""
        return httpx.request(method, f"{self.url}/admin/{path}", json=manners, headers=self._headers)

    def behave(self, **manners: Any) -> None:
        """Set the behaviour of later calls; without arguments, normal behaviour."""
        answer = self.admin("PATCH", "settings", manners) if manners else self.admin("DELETE", "settings")
        answer.raise_for_status()

    def forget(self) -> None:
        """Delete the pending webhooks of earlier tests: their receivers have ended."""
        self.admin("DELETE", "messages").raise_for_status()

    def messages(self) -> dict[str, int]:
        """Return the number of pending, delivered and failed webhooks."""
        return dict(self.get("/admin/messages").json())

    def charges_of(self, number: str) -> int:
        """Return the number of charges of an order, under all keys."""
        with closing(sqlite3.connect(self.home / FILE)) as books:
            found = books.execute(
                "SELECT count(*) FROM charges WHERE status = 'succeeded' AND json_extract(metadata, '$.order') = ?",
                (number,),
            )
            return int(found.fetchone()[0])

    def count(self) -> int:
        """Return the number of charges in the ledger, also while the process is stopped."""
        with closing(sqlite3.connect(self.home / FILE)) as books:
            return int(books.execute("SELECT count(*) FROM charges").fetchone()[0])

    def damage(self, statement: str) -> None:
        """Change the ledger with an SQL statement."""
        with closing(sqlite3.connect(self.home / FILE)) as books, books:
            books.execute(statement)

    def log(self) -> str:
        """Return its log."""
        return "".join(path.read_text() for path in (self._output, *(self.home / "log").glob("*.jsonl")))

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/livez", timeout=1)
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the simulator did not start:\n{self.log()}")
