"""Several processes that read through one cache, and a gate that holds their loaders until the test opens it."""

import json
import signal
import subprocess
import sys

from shop.settings import PROJECT_ROOT
from tests.support.polling import until

OPEN = 10_000


class CacheProcess:
    """One process, told what to do over its standard input."""

    def __init__(self, url, **options):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.cache_worker", json.dumps({"url": url, **options})],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self):
        """Wait until it can be told something."""
        assert self.told() == "ready"
        return self

    def do(self, what, **options):
        """Tell it to begin something."""
        self._process.stdin.write(json.dumps({"do": what, **options}) + "\n")
        self._process.stdin.flush()

    def told(self):
        """Return what came of it."""
        line = self._process.stdout.readline()
        assert line, "the process has died"
        return json.loads(line)

    def kill(self):
        """End it as an out-of-memory killer would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def close(self):
        """End it and its pipes."""
        if self._process.poll() is None:
            self.kill()
        self._process.stdin.close()
        self._process.stdout.close()


class Gate:
    """What holds every loader, and counts them."""

    def __init__(self, client):
        self._client = client

    def holds(self, value):
        """Close it, with so and so as the state of the source."""
        self._client.delete("gate", "loads", "asked")
        self._client.set("source", value)

    def open(self):
        """Let everybody pass from now on."""
        self._client.rpush("gate", *["go"] * OPEN)

    @property
    def loads(self):
        """Return how many loaders came to the gate."""
        return int(self._client.get("loads") or 0)

    def until_loading(self, count=1):
        """Wait until so many loaders stand at it."""
        until(lambda: self.loads >= count)

    def until_asked(self, count):
        """Wait until so many threads have begun to ask."""
        until(lambda: int(self._client.get("asked") or 0) >= count)
