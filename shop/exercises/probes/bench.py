"""Runs the reader's copy of the audited program for a probe: its processes, database, supplier, clock and log.

Each process of the program is a separate import of its package in this process, so that module variables and locks are
not shared, as between real processes.
"""

import importlib
import io
import json
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from shop.exercises.probes.supplier_stub import SupplierStub
from shop.exercises.verdict import AttemptFailed, FailureReport

PACKAGE = "patient"
LIMIT_S = 3.0
"""A request that is not answered by then hangs. The waiting counts its own ticks: on a machine that is too busy for
this process, it waits longer, and the program is not blamed."""
TICK_S = 0.05


@dataclass(frozen=True)
class PatientResponse:
    """One response: its status, and its body if that is JSON."""

    status: int
    body: Any


class PendingRequest:
    """A request that runs in a thread.

    Args:
        send: sends it.
    """

    def __init__(self, send: Callable[[], PatientResponse]) -> None:
        self._responses: list[PatientResponse] = []
        self._thread = threading.Thread(target=lambda: self._responses.append(send()), daemon=True)
        self._thread.start()

    def __call__(self) -> PatientResponse | None:
        """Wait for the response; return ``None`` if none comes in time."""
        for _ in range(round(LIMIT_S / TICK_S)):
            self._thread.join(TICK_S)
            if self.is_over():
                break
        return self._responses[0] if self._responses else None

    def is_over(self) -> bool:
        """Return whether the request has ended."""
        return not self._thread.is_alive()


class PatientProcess:
    """One process of the program.

    Args:
        app: its WSGI application.
        log: receives its log lines.
        pending: receives each request.
    """

    def __init__(self, app: Any, log: io.StringIO, pending: "list[PendingRequest]") -> None:
        self._app = app
        self._log = log
        self._pending = pending

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> PatientResponse | None:
        """Request a path; return ``None`` if no answer comes in time."""
        return self.begin("GET", path, headers=headers)()

    def order(self, body: object, headers: Mapping[str, str] | None = None) -> PatientResponse | None:
        """Place an order; return ``None`` if no answer comes in time."""
        return self.begin("POST", "/orders", body, headers)()

    def begin(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> PendingRequest:
        """Begin a request in a thread."""

        def send() -> PatientResponse:
            with self._app.test_client() as client:
                response = client.open(path, method=method, json=body, headers=dict(headers or {}))
                return PatientResponse(response.status_code, response.get_json(silent=True))

        request = PendingRequest(send)
        self._pending.append(request)
        return request

    def log_lines(self) -> list[str]:
        """Return the lines of the log so far."""
        return [line for line in self._log.getvalue().splitlines() if line.strip()]


class PatientBench:
    """The program's surroundings for one probe.

    Args:
        folder: the folder of the program's package.
        home: an empty folder.
        supplier: the supplier's server.
    """

    def __init__(self, folder: Path, home: Path, supplier: SupplierStub) -> None:
        self._folder = folder
        self.database = home / "patient.db"
        self.supplier = supplier
        self.now_s = 0.0
        self.on_statement: Callable[[str], None] = lambda sql: None
        """Told of each SQL statement of the program before it runs."""
        self._pending: list[PendingRequest] = []

    def start(self, *, database: Path | None = None, supplier_url: str | None = None) -> PatientProcess:
        """Start a process of the program; the first one creates the schema.

        Raises:
            AttemptFailed: the program does not start.
        """
        try:
            app_module, database_module = import_patient(self._folder)
            if not self.database.exists():
                database_module.create_schema(str(self.database))
            log = io.StringIO()
            path = str(database or self.database)
            app = app_module.create_app(path, supplier_url or self.supplier.url, lambda: self.now_s, log)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the reader's code raises
            came = f"{type(error).__name__}: {error}"
            self.fail("The check imported the copy and called create_app.", "an application.", came, str(self._folder))
        return PatientProcess(app, log, self._pending)

    def add_products(self, count: int, *, stock: int = 10, price_cents: int = 1000) -> None:
        """Add products; their ids count from 1, and each has a category of its own, with the same id."""
        numbers = range(1, count + 1)
        categories = [(number, f"Mugs {number}") for number in numbers]
        products = [(number, f"Mug {number}", number, price_cents, stock) for number in numbers]
        with closing(REAL_CONNECT(self.database)) as connection, connection:
            connection.executemany("INSERT INTO categories (id, name) VALUES (?, ?)", categories)
            insert = "INSERT INTO products (id, name, category_id, price_cents, stock) VALUES (?, ?, ?, ?, ?)"
            connection.executemany(insert, products)

    def close(self) -> None:
        """Let the requests end that wait for the supplier, and then stop the supplier."""
        self.supplier.release()
        for request in self._pending:
            request()
        self.supplier.close()

    def execute(self, sql: str) -> list[Any]:
        """Run a statement in the program's database, as another program would; return the rows."""
        with closing(REAL_CONNECT(self.database)) as connection, connection:
            return connection.execute(sql).fetchall()

    def fail(self, did: str, expected: str, came: object, look: str) -> NoReturn:
        """Fail the probe.

        Raises:
            AttemptFailed: always.
        """
        raise AttemptFailed(FailureReport("repairs", did, expected, describe(came), look))


def describe(came: object) -> str:
    """Return what came, as a text for the reader."""
    if came is None:
        return f"no answer within {LIMIT_S:g} s."
    if isinstance(came, PatientResponse):
        return f"{came.status} {json.dumps(came.body)[:200]}".rstrip() + "."
    return str(came)


REAL_CONNECT = sqlite3.connect


@contextmanager
def open_bench(folder: Path, home: Path) -> Iterator[PatientBench]:
    """Yield a bench; afterwards, no request waits for the supplier, and SQLite is as before.

    Args:
        folder: the folder of the program's package.
        home: an empty folder.
    """
    supplier = SupplierStub()
    bench = PatientBench(folder, home, supplier)

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = REAL_CONNECT(*arguments, **options)
        if _opens(connection, bench.database):  # other threads of this process have databases of their own
            connection.set_trace_callback(lambda sql: bench.on_statement(sql))
        return connection

    sqlite3.connect = connect  # type: ignore[assignment]
    try:
        yield bench
    finally:
        bench.close()
        sqlite3.connect = REAL_CONNECT


def _opens(connection: sqlite3.Connection, database: Path) -> bool:
    _, _, path = connection.execute("PRAGMA database_list").fetchone()
    return Path(path).resolve() == database.resolve()


def import_patient(folder: Path) -> tuple[Any, Any]:
    """Import the program's package anew; return its modules ``app`` and ``database``.

    Args:
        folder: the folder of the package.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder.parent))
    try:
        return importlib.import_module(f"{PACKAGE}.app"), importlib.import_module(f"{PACKAGE}.database")
    finally:
        sys.path.remove(str(folder.parent))


def unused_url() -> str:
    """Return an address of this machine where no server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
