"""A whole store for one run: `bin/shop up` in a directory of its own, on free ports, stopped when the block ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx

from shop.errors import ConfigurationError
from shop.settings import PREFIX, Settings, load_settings
from shop.stack import endpoints, status
from shop.stack.program import free_port
from shop.stack.state import ProcessRecord, StateFile

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
POLL_S = 0.1
ELSEWHERE = ("DATABASE_URL", "CACHE_URL", "BROKER_URL", "PAYMENTS_URL", "MAIL_URL")
"""Variables of the shell that could name a server outside this run; the stack does not get them."""

UNLIMITED = "1000000"
"""Writes a minute: each pool of connections serves one shopper after the other, from one address."""


class OwnStack:
    """The stack, from the start of the block to its end.

    Args:
        home: an empty directory.
        workers: number of web processes.
        extra: more settings, each as ``SHOP_NAME=VALUE``.
        edge: whether the edge runs in front of the web processes.
    """

    def __init__(self, home: Path, workers: int, extra: Sequence[str] = (), *, edge: bool = False) -> None:
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        self._environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(PREFIX) and name not in ELSEWHERE
            },
            "SHOP_VAR_DIR": str(home / "var"),
            "SHOP_PORT": str(port),
            "SHOP_HOST": "127.0.0.1",
            "SHOP_WRITES_PER_MINUTE": UNLIMITED,
        }
        words = ("up", "--size", "s", "--workers", str(workers), *(() if edge else ("--no-edge",)))
        self._command = (sys.executable, "-m", "shop.cli", *words)
        self._settings = load_settings({}, var_dir=home / "var", port=port)
        self._output = home / "up.log"
        self._state = StateFile(self._settings.run_dir)

    def __enter__(self) -> Self:
        with self._output.open("wb") as log:
            # A session of its own: Ctrl-C stops only this process, which must still read the books.
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self.wait_healthy(START_TIMEOUT_S)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._stop()

    @property
    def settings(self) -> Settings:
        """Return the settings with the addresses of all servers."""
        return endpoints.resolve(self._settings)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a `shop` command uses this stack."""
        return self._environment

    def processes(self) -> dict[str, ProcessRecord]:
        """Return the processes that the supervisor runs, by name."""
        return dict(self._state.load().processes)

    def wait_healthy(self, timeout_s: float) -> None:
        """Wait until every server is healthy.

        Raises:
            ConfigurationError: a server is not healthy in time, or the stack has ended.
        """
        deadline = time.monotonic() + timeout_s
        while not status.collect_report(self._settings).is_healthy:
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self._output.read_text(errors="replace")[-2_000:]
                raise ConfigurationError(f"The stack is not healthy:\n{tail}")
            time.sleep(POLL_S)

    def configure_provider(self, **behaviour: object) -> None:
        """Set the behaviour of the payments simulator; see ``shop/payments/simulator/behaviour_settings.py``."""
        settings = self.settings
        headers = {"Authorization": f"Bearer {settings.payments_api_key}"}
        httpx.patch(
            f"{settings.payments_url}/admin/settings", json=behaviour, headers=headers, trust_env=False
        ).raise_for_status()

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        command = (sys.executable, "-m", "shop.cli", "down")  # stops the servers of a killed supervisor too
        subprocess.run(command, env=self._environment, capture_output=True, timeout=STOP_TIMEOUT_S, check=False)
