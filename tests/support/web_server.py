"""Real web servers for tests: processes on a real port, started and stopped by the test."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from shop.settings import PROJECT_ROOT, Settings
from shop.stack.program import free_port

START_TIMEOUT_S = 60


class WebServer:
    """gunicorn with the store's own configuration, in a separate process group."""

    def __init__(self, settings: Settings, home: Path, workers: int = 1) -> None:
        self.settings = settings.model_copy(
            update={"port": free_port(), "metrics_port": free_port(), "var_dir": home, "workers": workers}
        )
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.metrics_url = f"http://127.0.0.1:{self.settings.metrics_port}/metrics"
        self._output = home / "output"
        home.mkdir(parents=True, exist_ok=True)
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "-c",
                    "python:shop.stack.gunicorn_conf",
                    "shop.app:from_environment()",
                ],
                env={**os.environ, **self.settings.as_environment()},
                cwd=PROJECT_ROOT,
                stdout=output,
                stderr=output,
            )

    def wait(self) -> None:
        """Wait until the server answers."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                if httpx.get(f"{self.url}/livez", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the web server did not start:\n{self._output.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server cleanly, and wait for its end."""
        self._process.terminate()
        self._process.wait(20)
