"""The payments simulator as tests use it: started, asked, killed."""

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

from shop.payments.simulator.books import FILE
from shop.settings import Settings

START_TIMEOUT_S = 20
THREADS = 8


class Simulator:
    """One simulator process with books of its own, which outlive it."""

    def __init__(self, settings: Settings, home: Path) -> None:
        self.url = str(settings.payments_url)
        self._home = home
        self._output = home / "output"
        self._timeout_ms = settings.payments_timeout_ms
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        command = ["-m", "gunicorn", "--bind", f"127.0.0.1:{urlsplit(self.url).port}", "--worker-class", "gthread"]
        command += ["--threads", str(THREADS), "--workers", "1", "shop.payments.simulator.app:create_app()"]
        env = {**os.environ, "SHOP_VAR_DIR": str(self._home), "SHOP_PAYMENTS_TIMEOUT_MS": str(self._timeout_ms)}
        with self._output.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command], env=env, stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def kill(self) -> None:
        """End it and its worker at once, as a power cut would."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, 9)
            self._process.wait()

    def charge(self, key: str, token: str = "tok_ok", amount: int = 1200, **more: Any) -> httpx.Response:
        """Ask for a charge, as a store would."""
        body = {"amount": amount, "currency": "EUR", "token": token, **more}
        return httpx.post(f"{self.url}/charges", json=body, headers={"Idempotency-Key": key}, timeout=10)

    def refund(self, key: str, charge: str, amount: int) -> httpx.Response:
        """Ask for a refund, as a store would."""
        body = {"charge": charge, "amount": amount}
        return httpx.post(f"{self.url}/refunds", json=body, headers={"Idempotency-Key": key}, timeout=10)

    def charges(self, key: str) -> list[dict[str, Any]]:
        """Return what the books hold under a key."""
        return list(httpx.get(f"{self.url}/charges", params={"key": key}, timeout=10).json()["items"])

    def charges_of(self, number: str) -> int:
        """Return how often an order was charged, under whatever keys."""
        with closing(sqlite3.connect(self._home / FILE)) as books:
            found = books.execute(
                "SELECT count(*) FROM charges WHERE status = 'succeeded' AND json_extract(metadata, '$.order') = ?",
                (number,),
            )
            return int(found.fetchone()[0])

    def log(self) -> str:
        """Return what it wrote."""
        return "".join(path.read_text() for path in (self._output, *(self._home / "log").glob("*.jsonl")))

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
