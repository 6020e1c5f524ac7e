"""Behind a pooler: in its session mode every limit is in force, in its transaction mode the store refuses to start."""

import os
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from shop.app import create_app
from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.cli import main
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.errors import ConfigurationError, ServiceUnavailable
from shop.stack import external_servers
from shop.stack.program import free_port
from shop.wiring import build
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product
from tests.support.pgbouncer import PROGRAM, PgBouncer
from tests.support.polling import until

pytestmark = [
    pytest.mark.xdist_group("pgbouncer"),
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (on Debian: apt install pgbouncer)"),
]
IGNORING = "ignore_startup_parameters = options"
"""What is advised where a client sends ``options``; the limits in them are then ignored, too."""
LIMITS = ("statement_timeout", "lock_timeout", "idle_session_timeout", "TimeZone")
IN_FORCE = ["5s", "2s", "1min", "UTC"]
BUYERS = 12
EACH = 3


@pytest.fixture(scope="module")
def behind(new_database):
    """Makes poolers, each before a database of its own."""
    made = []

    def make(mode, more=""):
        made.append(PgBouncer(new_database("pooled"), mode, more))
        return made[-1].url

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module", params=["", IGNORING], ids=["refusing options", "ignoring options"])
def in_transactions(request, behind):
    return behind("transaction", request.param)


@pytest.fixture(scope="module", params=["", IGNORING], ids=["refusing options", "ignoring options"])
def in_sessions(request, behind):
    return behind("session", request.param)


@pytest.fixture
def engine(settings, request):
    """An engine of the store, on the address a test asks for."""
    made = []

    def make(url, **changes):
        made.append(build_engine(settings.model_copy(update={"database_url": url, **changes})))
        return made[-1]

    yield make
    for one in made:
        one.dispose()


def in_force(engine):
    with engine.connect() as connection:
        return [connection.scalar(text(f"SHOW {name}")) for name in LIMITS]


@pytest.mark.parametrize("words", ["migrate", "seed", "prepare", "switch list", "reap"])
def test_transaction_mode_is_refused_by_every_command_in_one_line(in_transactions, words):
    done = CliRunner().invoke(main, words.split(), env={"DATABASE_URL": in_transactions})
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert "is behind a pooler in transaction mode" in done.stderr
    assert "pool_mode = session" in done.stderr
    assert "***" in done.stderr


@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize("more", ["", IGNORING], ids=["refusing options", "ignoring options"])
def test_psql_is_refused_behind_a_pooler(behind, mode, more, monkeypatch):
    monkeypatch.setattr(os, "execve", lambda *given: pytest.fail("psql was started"))
    done = CliRunner().invoke(main, ["sql", "-c", "SELECT 1"], env={"DATABASE_URL": behind(mode, more)})
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.output
    assert "is behind a pooler" in done.stderr
    assert "address of PostgreSQL itself into DATABASE_URL" in done.stderr


def test_transaction_mode_is_refused_before_the_stack_starts(settings, in_transactions):
    with pytest.raises(ConfigurationError, match="transaction mode"):
        external_servers.check(settings.model_copy(update={"database_url": in_transactions}), "database_url")


def test_a_worker_behind_transaction_mode_ends_at_its_start(settings, behind):
    own = settings.model_copy(update={"database_url": behind("transaction")})
    words = [sys.executable, "-m", "shop.worker", "--port", str(free_port())]
    environment = {**os.environ, **own.as_environment()}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "transaction mode" in done.stderr


def test_process_behind_transaction_mode_pooler_is_not_ready(settings, in_transactions):
    runtime = build(settings.model_copy(update={"database_url": in_transactions}))
    found = create_app(runtime).test_client().get("/readyz")
    runtime.close()
    assert (found.status_code, found.json["dependencies"]["postgres"]["state"]) == (503, "away")
    assert "transaction mode" in found.json["dependencies"]["postgres"]["detail"]


def test_transaction_mode_is_recognised_while_others_are_busy(engine, in_transactions):
    done = threading.Event()

    def work():
        with psycopg.connect(in_transactions, autocommit=True, prepare_threshold=None) as connection:
            while not done.is_set():
                connection.execute("SELECT pg_sleep(0.002)")

    with ThreadPoolExecutor(6) as pool:
        busy = [pool.submit(work) for _ in range(6)]
        try:
            for _ in range(5):
                with pytest.raises(ConfigurationError, match="transaction mode"):
                    in_force(engine(in_transactions))
        finally:
            done.set()
        assert [one.result() for one in busy] == [None] * 6


def test_a_session_that_is_shared_is_left_as_it_was(engine, in_transactions):
    with psycopg.connect(in_transactions, autocommit=True) as connection:
        before = [connection.execute(f"SHOW {name}").fetchone() for name in LIMITS]
        with suppress(ConfigurationError):
            in_force(engine(in_transactions))
        assert [connection.execute(f"SHOW {name}").fetchone() for name in LIMITS] == before


def test_session_mode_pooler_keeps_every_limit_in_force(engine, in_sessions, settings):
    assert in_force(engine(in_sessions)) == in_force(engine(settings.database_url)) == IN_FORCE


def test_session_mode_pooler_times_out_consecutive_slow_statements(engine, in_sessions):
    database = Database(engine(in_sessions, db_statement_timeout_ms=50))
    for _ in range(2):
        with pytest.raises(ServiceUnavailable, match="took too long"), database.transaction() as session:
            session.execute(text("SELECT pg_sleep(5)"))


def test_in_session_mode_the_store_sells(settings, in_sessions, simulator):
    assert CliRunner().invoke(main, ["migrate"], env={"DATABASE_URL": in_sessions}).exit_code == 0
    own = settings.model_copy(update={"database_url": in_sessions})
    external_servers.check(own, "database_url")
    runtime = build(own)
    with runtime.database.transaction() as session:
        make_product(session, make_category(session), "mug", on_hand=BUYERS * EACH)
    app = create_app(runtime)
    with ThreadPoolExecutor(BUYERS // 2) as pool:
        ends = [end for found in pool.map(lambda _: _buy(app, runtime), range(BUYERS)) for end in found]
    assert ends == [201] * BUYERS * EACH
    until(lambda: _is_well(app))  # at once, unless this machine stands still for longer than a check may take
    runtime.close()


def _is_well(app):
    found = app.test_client().get("/readyz").json["dependencies"]
    return (found["postgres"]["state"], found["schema"]["state"]) == ("ok", "ok")


def _buy(app, runtime):
    cart = uuid.uuid4()
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = str(cart)
    for number in range(EACH):
        CartService(runtime.database, offers).add(CartOwner(guest_cart_id=cart), "mug", 1)
        answer = client.post("/api/v1/checkout", json=DETAILS, headers={"Idempotency-Key": f"{cart}-{number}"})
        yield answer.status_code
