"""Real servers for the tests: one PostgreSQL and two Valkeys a test run, one database a test process."""

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import certifi
import psycopg
import pytest
import redis
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck
from hypothesis import settings as examples
from psycopg import sql

from shop.database.engine import build_engine
from shop.database.schema import upgrade
from shop.database.transactions import Database
from shop.settings import Settings, load_settings
from shop.stack import postgres, valkey
from shop.stack.database_roles import role_passwords
from shop.stack.program import ServerProgram, free_port
from tests.support.group_order import spread_groups
from tests.support.rate_limits import NO_RATE_LIMITS
from tests.support.stack_instance import StackInstance

# How long an example takes, or to find one, depends on what else the machine does.
examples.register_profile("store", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("store")

SERVERS = "TEST_SERVERS"
TEMPLATE = "shop_template"
PROOFS_CPU = "proofs-cpu-seconds"
"""File in which each test process writes the processor time of its proofs of exercises."""
START_TIMEOUT_S = 30
EMPTY = """
DO $$
DECLARE
    one record;
    has_rows boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT quote_ident(tablename) AS name FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || one.name || ')' INTO has_rows;
        IF has_rows THEN
            EXECUTE 'DELETE FROM ' || one.name;
        END IF;
    END LOOP;
    PERFORM setval(quote_ident(sequencename)::regclass, start_value, false)
        FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""
"""Leaves every table empty and every sequence at its start, at a tenth of what TRUNCATE of all of them costs. Foreign
keys and triggers rest meanwhile, so the order does not matter. Tables are asked of the database: which models are
imported depends on which tests run here."""
LONGEST = ("live-answers", "whole-stack", "e2e", "recovery")
"""Groups of tests that run in one process, after each other. All other groups are spread among the single tests."""
SPEED_OVER_SAFETY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


@dataclass(frozen=True)
class Servers:
    """Where this test run's servers listen."""

    home: str
    """Where they keep their data and their passwords."""
    postgres: int
    cache: int
    broker: int

    def database_url(self, database: str) -> str:
        """Return the address of one database, for a superuser."""
        return postgres.url(Path(self.home) / "pg", self.postgres, database)

    def valkey_url(self, name: str, number: int) -> str:
        """Return the address of one database of the cache or the broker."""
        return valkey.url(Path(self.home) / name, getattr(self, name), number)


class _Running:
    """The servers this test run started; it stops exactly those."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="shop-tests-"))
        self.home.chmod(0o755)
        self.processes: list[tuple[ServerProgram, subprocess.Popen[bytes]]] = []

    def start(self, program: ServerProgram) -> None:
        with (self.home / f"{program.name}.log").open("wb") as log:
            process = subprocess.Popen(program.argv, stdout=log, stderr=log, cwd="/")
        self.processes.append((program, process))

    def wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        for program, process in self.processes:
            while not program.healthy():
                if process.poll() is not None or time.monotonic() > deadline:
                    log = (self.home / f"{program.name}.log").read_text()
                    raise RuntimeError(f"{program.name} did not start:\n{log}")
                time.sleep(0.02)

    def stop(self) -> None:
        for program, process in reversed(self.processes):
            process.send_signal(program.stop_signal)
        for program, process in self.processes:
            process.wait(program.stop_timeout_s)
        shutil.rmtree(self.home, ignore_errors=True)


_running: _Running | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, in the process that hands out the tests."""
    global _running
    gc.disable()  # until everything is read that stays
    if hasattr(config, "workerinput") or SERVERS in os.environ:
        return
    for name in [name for name in os.environ if name.startswith("SHOP_") or name in UNSET]:
        del os.environ[name]  # the tests' outcome must not depend on the developer's shell
    reading = _rewrite_assertions_once(config) if config.getoption("numprocesses", None) else None
    _running = _Running()
    servers = Servers(str(_running.home), free_port(), free_port(), free_port())
    postgres.initialise(_running.home / "pg")
    _running.start(postgres.program(_running.home / "pg", servers.postgres, SPEED_OVER_SAFETY))
    _running.start(valkey.cache(_running.home / "cache", servers.cache, memory_mb=32))
    _running.start(valkey.broker(_running.home / "broker", servers.broker))
    _running.wait()
    _hash_passwords_once(servers)
    postgres.ensure_database(_running.home / "pg", servers.postgres, TEMPLATE)
    engine = build_engine(load_settings(database_url=servers.database_url(TEMPLATE)))
    upgrade(engine)
    engine.dispose()
    os.environ[SERVERS] = json.dumps(asdict(servers))
    os.environ["SSL_CERT_FILE"] = str(_one_authority(_running.home / "authority.pem"))
    if reading is not None:
        reading.wait()


def _rewrite_assertions_once(config: pytest.Config) -> subprocess.Popen[bytes]:
    """Collect the tests in one process while the servers start, and keep the bytecode with the rewritten assertions.

    The test processes begin at the same moment; without this bytecode, each of them rewrites every module of tests,
    which takes longer than the rest of a collection. Python is told to write bytecode even if the shell forbids it.
    Errors are ignored here: each test process meets and reports them.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-n0", "-p", "no:cacheprovider", *config.args]
    return subprocess.Popen(
        command,
        cwd=config.invocation_params.dir,
        env={**environment, SERVERS: "none are needed"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _hash_passwords_once(servers: Servers) -> None:
    """Let a log-in hash its password once, not 4096 times: that was most of the client's time of a connection."""
    with psycopg.connect(servers.database_url("postgres"), autocommit=True) as connection:
        connection.execute("SET scram_iterations = 1")
        for role, password in role_passwords(Path(servers.home) / "pg").items():
            change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
            connection.execute(change)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest in one process: begun last, it would be waited for alone."""
    groups: dict[str, list[pytest.Item]] = {}
    single: list[pytest.Item] = []
    for item in items:
        mark = item.get_closest_marker("xdist_group")
        (single if mark is None else groups.setdefault(mark.args[0], [])).append(item)
    longest = [item for name in LONGEST for item in groups.pop(name, [])]
    items[:] = [*longest, *spread_groups(list(groups.values()), single)]


def pytest_collection_finish() -> None:
    """Leave what was read to find the tests out of every later collection: it is most of what there is."""
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the processor time of the proofs of exercises, which has a budget."""
    path = _running and _running.home / PROOFS_CPU
    if path and path.exists():
        used_s = sum(map(float, path.read_text().split()))
        terminalreporter.write_line(f"proofs of the exercises: {used_s:.1f} s of processor time (at most 120 s)")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    global _running
    if _running is not None:
        _running.stop()
        _running = None
        for name in (SERVERS, "SSL_CERT_FILE"):
            os.environ.pop(name, None)  # they are not there yet where a server did not start


def _one_authority(path: Path) -> Path:
    """Write down one certificate authority, to be the only one there is.

    Every HTTP client reads all authorities when it is made, which takes 20 ms, though here nobody speaks TLS.
    """
    certificate, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----")
    path.write_text(certificate + end + "\n")
    return path


UNSET = ("DATABASE_URL", "CACHE_URL", "BROKER_URL", "PAYMENTS_URL")


@pytest.fixture(scope="session")
def servers() -> Servers:
    """Where the servers of this test run listen."""
    return Servers(**json.loads(os.environ[SERVERS]))


@pytest.fixture(scope="session")
def new_database(servers: Servers) -> Iterator["NewDatabase"]:
    """Makes further migrated databases on the test server, and drops them at the end."""
    maker = NewDatabase(servers)
    yield maker
    maker.drop_all()


class NewDatabase:
    """Makes databases with the schema in place, and drops them."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._made: list[str] = []

    def __call__(self, name: str, template: str | None = TEMPLATE) -> str:
        """Make a database of its own for this process and return its address."""
        full = f"{name}_{os.getpid()}_{len(self._made)}"
        # CREATE DATABASE needs its template free of sessions, so test processes take turns.
        with psycopg.connect(self._servers.database_url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(1)")
            postgres.ensure_database(Path(self._servers.home) / "pg", self._servers.postgres, full, template)
        self._made.append(full)
        return self._servers.database_url(full)

    def drop_all(self) -> None:
        """Drop everything made."""
        with psycopg.connect(self._servers.database_url("postgres"), autocommit=True) as connection:
            for name in self._made:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@pytest.fixture(scope="session")
def settings(servers: Servers, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a store on the test servers, with a database, a cache and a broker of this process's own."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return load_settings(
        database_url=new_database("shop_test"),
        cache_url=servers.valkey_url("cache", number),
        **NO_RATE_LIMITS,
        cache_timeout_ms=3_000,  # what a machine may stand still; with 100 ms the cache then counts as away
        broker_url=servers.valkey_url("broker", number),
        payments_url=f"http://127.0.0.1:{free_port()}",  # nobody listens there until a test asks for the simulator
        payments_api_key="a key of the provider for tests only",
        payments_webhook_secret="a secret of the provider for tests only",
        var_dir=tmp_path_factory.mktemp("var"),
        secret_key="a key for tests only",
    )


@pytest.fixture(scope="session")
def live_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator["StackInstance"]:
    """The stack of the tests of the group ``live-answers``; each of them leaves it as it was."""
    from tests.exercises.live_stack import start_stack  # few of the test processes need a whole stack

    stack = start_stack(tmp_path_factory.mktemp("live-answers"))
    yield stack
    stack.shop("down")


@pytest.fixture(scope="session")
def _engine_database(settings: Settings) -> Iterator[Database]:
    engine = build_engine(settings)
    yield Database(engine)
    engine.dispose()


@pytest.fixture
def database(_engine_database: Database) -> Iterator[Database]:
    """An empty database with the schema in place."""
    yield _engine_database
    with _engine_database.engine.begin() as connection:
        connection.exec_driver_sql(EMPTY)


@pytest.fixture
def cache_client(settings: Settings) -> Iterator["redis.Redis"]:
    """An empty cache, of this test process alone."""
    client = redis.Redis.from_url(str(settings.cache_url))
    client.flushdb()
    yield client
    client.flushdb()
    client.close()
