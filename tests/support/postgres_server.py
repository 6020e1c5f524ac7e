"""A PostgreSQL that a test may kill: it has its own cluster and recovers at the next start."""

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
TEST_OPTIONS = {"fsync": "off", "full_page_writes": "off", "restart_after_crash": "off"}
"""A kill loses no data of the kernel, so ``fsync`` is not necessary. ``synchronous_commit`` stays on: without it the
last commits would be only in the memory of the killed server. The test itself starts the server after a crash."""


class OwnPostgres:
    """One server with its own cluster."""

    def __init__(self) -> None:
        self.disk = SmallDisk("shop-killed-", DISK_MB)
        self._home = self.disk.home
        self._process: subprocess.Popen[bytes] | None = None
        postgres.initialise(self._home / "pg")
        self._program = postgres.program(self._home / "pg", free_port(), TEST_OPTIONS)
        self.url = postgres.url(self._home / "pg", self._program.port)

    def start(self) -> None:
        """Start the server, with recovery after a kill, and make sure that the store's database exists."""
        self._run()
        postgres.ensure_database(self._home / "pg", self._program.port)

    def _run(self) -> None:
        """Start the server; repeat that while sessions of the killed server still hold its shared memory."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._program.healthy():
            if self._process is None or self._process.poll() is not None:
                with (self._home / "log").open("ab") as log:
                    self._process = subprocess.Popen(self._program.argv, stdout=log, stderr=log, cwd="/")
            if time.monotonic() > deadline:
                raise RuntimeError((self._home / "log").read_text())
            time.sleep(0.02)

    def restart_as_standby(self) -> None:
        """Stop cleanly, and start as a standby without a primary: sessions can read, and change nothing."""
        if self._process is not None:
            self._process.send_signal(self._program.stop_signal)
            self._process.wait(START_TIMEOUT_S)
        (self._home / "pg" / "standby.signal").touch()
        self._run()

    def kill(self) -> None:
        """Kill the server and all its sessions."""
        for process in self._all():
            with suppress(psutil.NoSuchProcess):  # a session may end by itself meanwhile
                process.kill()
        if self._process is not None:
            self._process.wait()

    def hang(self) -> None:
        """Suspend the server and all its sessions; connections stay open."""
        for process in self._all():
            process.suspend()

    def go_on(self) -> None:
        """Resume the suspended processes."""
        for process in self._all():
            process.resume()

    def _all(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return []
        leader = psutil.Process(self._process.pid)
        return [leader, *leader.children(recursive=True)]

    def fill_log(self) -> None:
        """Fill the disk of the write-ahead log: the server ends, with all its sessions."""
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
        """Stop the server and delete its data."""
        self.kill()
        self.disk.remove()
