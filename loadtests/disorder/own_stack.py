"""A whole store for one run: `shop up` in a directory of its own, on free ports, stopped by the one who started it."""

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
"""What could lead to a server that is not this run's: nothing of it is taken from the shell."""


class OwnStack:
    """The stack, from the start of the block to its end.

    Args:
        home: an empty directory.
        workers: web processes.
        more: settings, each as ``SHOP_NAME=VALUE``.
    """

    def __init__(self, home: Path, workers: int, more: Sequence[str] = ()) -> None:
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        mine = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        mine = {name: value for name, value in mine.items() if name not in ELSEWHERE}
        self._environment = {
            **mine,
            "SHOP_VAR_DIR": str(home / "var"),
            "SHOP_PORT": str(port),
            "SHOP_HOST": "127.0.0.1",
        }
        self._words = (sys.executable, "-m", "shop.cli", "up", "--no-edge", "--size", "s", "--workers", str(workers))
        self._given = load_settings({}, var_dir=home / "var", port=port)
        self._output = home / "up.log"
        self._state = StateFile(self._given.run_dir)

    def __enter__(self) -> Self:
        with self._output.open("wb") as log:
            # A session of its own: Ctrl-C reaches this process alone, which still has books to read.
            self._process = subprocess.Popen(
                self._words, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self.wait_well(START_TIMEOUT_S)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._stop()

    @property
    def settings(self) -> Settings:
        """Where everything is."""
        return endpoints.resolve(self._given)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a command of `shop` speak of this stack."""
        return self._environment

    def processes(self) -> dict[str, ProcessRecord]:
        """Return what the supervisor says it runs."""
        return dict(self._state.load().processes)

    def wait_well(self, timeout_s: float) -> None:
        """Return once every server answers.

        Raises:
            ConfigurationError: one did not in time, or the stack has ended.
        """
        deadline = time.monotonic() + timeout_s
        while not status.collect_report(self._given).is_healthy:
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self._output.read_text(errors="replace")[-2_000:]
                raise ConfigurationError(f"The stack is not well:\n{tail}")
            time.sleep(POLL_S)

    def disturb(self, **controls: object) -> None:
        """Give the payments simulator its manners; see ``shop/payments/simulator/behaviour_settings.py``."""
        settings = self.settings
        known = {"Authorization": f"Bearer {settings.payments_api_key}"}
        httpx.patch(
            f"{settings.payments_url}/admin/settings", json=controls, headers=known, trust_env=False
        ).raise_for_status()

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        words = (sys.executable, "-m", "shop.cli", "down")  # what a killed supervisor would have left behind
        subprocess.run(words, env=self._environment, capture_output=True, timeout=STOP_TIMEOUT_S, check=False)
