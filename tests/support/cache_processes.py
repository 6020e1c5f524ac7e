"""Several processes with one cache, and a gate that stops their loaders until the test opens it."""

import json
import signal
import subprocess
import sys

from shop.settings import PROJECT_ROOT
from tests.support.polling import until

OPEN = 10_000


class CacheProcess:
    """One process, which reads its commands from standard input."""

    def __init__(self, url, **options):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.cache_worker", json.dumps({"url": url, **options})],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self):
        """Wait until the process accepts commands."""
        assert self.told() == "ready"
        return self

    def do(self, what, **options):
        """Send a command."""
        self._process.stdin.write(json.dumps({"do": what, **options}) + "\n")
        self._process.stdin.flush()

    def told(self):
        """Return the result of a command."""
        line = self._process.stdout.readline()
        assert line, "the process has died"
        return json.loads(line)

    def kill(self):
        """Kill the process, like the out-of-memory killer."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def close(self):
        """End the process and close its pipes."""
        if self._process.poll() is None:
            self.kill()
        self._process.stdin.close()
        self._process.stdout.close()


class Gate:
    """Stops every loader, and counts them."""

    def __init__(self, client):
        self._client = client

    def holds(self, value):
        """Close the gate, and set the value of the source."""
        self._client.delete("gate", "loads", "asked")
        self._client.set("source", value)

    def open(self):
        """Let all loaders pass from now on."""
        self._client.rpush("gate", *["go"] * OPEN)

    @property
    def loads(self):
        """Return the number of loaders that reached the gate."""
        return int(self._client.get("loads") or 0)

    def until_loading(self, count=1):
        """Wait until a number of loaders have reached the gate."""
        until(lambda: self.loads >= count)

    def until_asked(self, count):
        """Wait until a number of threads have begun a look-up."""
        until(lambda: int(self._client.get("asked") or 0) >= count)
