"""A PostgreSQL that a test may kill: a cluster of its own, started again on what the kill left."""

import subprocess
import time
from contextlib import suppress

import psutil
import psycopg

from shop.stack import postgres
from shop.stack.program import free_port
from tests.support.small_disk import SmallDisk

START_TIMEOUT_S = 30
DISK_MB = 256
LOG_RECORD_BYTES, LOG_RECORDS = 500_000, 1_000
OF_A_TEST = {"fsync": "off", "full_page_writes": "off", "restart_after_crash": "off"}
"""A kill takes nothing from the kernel, so nothing has to be on the disk. ``synchronous_commit`` stays on: without it
the last commits are still in the memory of the server that is killed. A server that started itself again after a crash
would be up for a moment of its own choice; here the test starts it."""


class OwnPostgres:
    """One server over one cluster."""

    def __init__(self) -> None:
        self.disk = SmallDisk("shop-killed-", DISK_MB)
        self._home = self.disk.home
        self._process: subprocess.Popen[bytes] | None = None
        postgres.initialise(self._home / "pg")
        self._program = postgres.program(self._home / "pg", free_port(), OF_A_TEST)
        self.url = postgres.url(self._home / "pg", self._program.port)

    def start(self) -> None:
        """Start it on what was left, and see to it that the store's database is there."""
        self._run()
        postgres.ensure_database(self._home / "pg", self._program.port)

    def _run(self) -> None:
        """Start it, as often as its killed predecessor's sessions still hold the memory they shared."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._program.healthy():
            if self._process is None or self._process.poll() is not None:
                with (self._home / "log").open("ab") as log:
                    self._process = subprocess.Popen(self._program.argv, stdout=log, stderr=log, cwd="/")
            if time.monotonic() > deadline:
                raise RuntimeError((self._home / "log").read_text())
            time.sleep(0.02)

    def become_standby(self) -> None:
        """Stop well, and go on as a standby of nobody: what is there can be read, and nothing be changed."""
        if self._process is not None:
            self._process.send_signal(self._program.stop_signal)
            self._process.wait(START_TIMEOUT_S)
        (self._home / "pg" / "standby.signal").touch()
        self._run()

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

    def fill_log(self) -> None:
        """Leave no room on its disk for another byte of the write-ahead log: it ends, with all its sessions."""
        self.disk.fill()
        with psycopg.connect(self.url, autocommit=True) as connection:
            try:
                for _ in range(LOG_RECORDS):
                    connection.execute(
                        "SELECT pg_logical_emit_message(true, 'filler', repeat('0', %s))", [LOG_RECORD_BYTES]
                    )
            except psycopg.OperationalError:
                if self._process is not None:
                    self._process.wait(START_TIMEOUT_S)
                return
        raise RuntimeError("the disk was not full")

    def stop(self) -> None:
        """End it, and leave nothing of it."""
        self.kill()
        self.disk.remove()
