"""A PostgreSQL that a test may kill: a cluster of its own, started again on what the kill left."""

import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from shop.stack import postgres
from shop.stack.program import free_port

START_TIMEOUT_S = 30
NOT_WAITING = {"fsync": "off", "full_page_writes": "off"}
"""A kill takes nothing from the kernel, so nothing has to be on the disk. ``synchronous_commit`` stays on: without it
the last commits are still in the memory of the server that is killed."""


class OwnPostgres:
    """One server over one cluster."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="shop-killed-"))
        self._home.chmod(0o755)  # PostgreSQL runs as another account when root is asking
        self._process: subprocess.Popen[bytes] | None = None
        postgres.initialise(self._home / "pg")
        self._program = postgres.program(self._home / "pg", free_port(), NOT_WAITING)
        self.url = postgres.url(self._home / "pg", self._program.port)

    def start(self) -> None:
        """Start it, as often as its killed predecessor's sessions still hold the memory they shared."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._program.healthy():
            if self._process is None or self._process.poll() is not None:
                with (self._home / "log").open("ab") as log:
                    self._process = subprocess.Popen(self._program.argv, stdout=log, stderr=log, cwd="/")
            if time.monotonic() > deadline:
                raise RuntimeError((self._home / "log").read_text())
            time.sleep(0.02)
        postgres.ensure_database(self._home / "pg", self._program.port)

    def kill(self) -> None:
        """End it at once, with all its sessions."""
        for process in self._all():
            with suppress(psutil.NoSuchProcess):  # a session may end by itself meanwhile
                process.kill()
        if self._process is not None:
            self._process.wait()

    def hang(self) -> None:
        """Stop all of it in the middle of its work; connections stay open."""
        for process in self._all():
            process.suspend()

    def go_on(self) -> None:
        """Let it go on where it was stopped."""
        for process in self._all():
            process.resume()

    def _all(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return []
        leader = psutil.Process(self._process.pid)
        return [leader, *leader.children(recursive=True)]

    def stop(self) -> None:
        """End it, and leave nothing of it."""
        self.kill()
        shutil.rmtree(self._home)
