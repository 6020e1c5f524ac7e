"""A RabbitMQ node for tests, with its own ports and directory, if Debian's package is installed."""

import os
import signal
import subprocess
import time
from pathlib import Path

from shop.stack.program import free_port, port_answers
from tests.support.process_cleanup import ended_on_failure

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's script; the one on PATH requires its own account."""
START_TIMEOUT_S = 60


class RabbitMQ:
    """One node. It keeps its durable queues over a restart."""

    def __init__(self, home: Path) -> None:
        self._port, self._home = free_port(), home
        epmd = free_port()
        self._mapper = subprocess.Popen(["epmd", "-port", str(epmd), "-address", "127.0.0.1"])
        self._environment = {
            **os.environ,
            "HOME": str(home),
            "ERL_EPMD_PORT": str(epmd),
            "RABBITMQ_NODENAME": f"shop{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        }
        self._process: subprocess.Popen[bytes] | None = None
        with ended_on_failure(self.close):
            self.start()

    @property
    def url(self) -> str:
        """Return its address, with the default account of a new node, which works on the loopback address only."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}/%2F"

    def start(self) -> None:
        """Start the node, and wait until it accepts connections."""
        with (self._home / "output").open("ab") as log:
            self._process = subprocess.Popen(
                [SERVER], env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        with ended_on_failure(self.stop):
            self._wait(self._process)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not port_answers(self._port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._home / "output").read_text())
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the node; durable queues keep their messages."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(30)

    def fill(self) -> None:
        """Make the node treat its memory as full: it then blocks every publisher."""
        self._control("set_vm_memory_high_watermark", "0.000001")

    def free(self) -> None:
        """Let it accept messages again."""
        self._control("set_vm_memory_high_watermark", "0.9")

    def _control(self, *words: str) -> None:
        command = [SERVER.with_name("rabbitmqctl"), "-n", self._environment["RABBITMQ_NODENAME"], *words]
        subprocess.run(command, env=self._environment, check=True, capture_output=True, timeout=START_TIMEOUT_S)

    def close(self) -> None:
        """Stop the node and its port mapper."""
        self.stop()
        self._mapper.terminate()
        self._mapper.wait(10)
