"""A connection waits no longer for its server than somebody waits for it."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text

from shop.database.connection import GRACE_S, StoreConnection, WaitLimit
from shop.database.engine import build_engine, lift_limits
from shop.database.transactions import Database
from shop.errors import ServiceUnavailable
from tests.support.polling import seconds_until

CALLER_S = 0.3
LONG_S = 5
"""What a statement takes that nothing cuts: the server's own time-out is put off here, as if it hung."""


@pytest.fixture
def make(settings, database):
    """Makes a database whose callers have so many seconds left."""
    made = []

    def make(left_s, statement_ms=60_000):
        engine = build_engine(settings.model_copy(update={"db_statement_timeout_ms": statement_ms}), time_left=left_s)
        made.append(engine)
        return Database(engine)

    yield make
    for engine in made:
        engine.dispose()


@pytest.mark.parametrize(("left_s", "waits_s"), [(2.0, 2.0), (0.0, 0.0), (float("inf"), 5.0), (8.0, 5.0)])
def test_wait_ends_at_deadline_or_after_statement_timeout(left_s, waits_s):
    assert WaitLimit(5.0, lambda: left_s).seconds() == waits_s + GRACE_S


@pytest.mark.parametrize("block", ["reading", "transaction", "enclosing"])
def test_interrupted_statement_closes_its_connection(make, block):
    left = {"s": 5.0}
    database = make(lambda: left["s"])
    with database.reading() as session:
        before = session.scalar(text("SELECT pg_backend_pid()"))
    left["s"] = 0.0
    with pytest.raises(ServiceUnavailable) as refused, getattr(database, block)(), database.reading() as session:
        session.execute(text("SELECT pg_sleep(:long)"), {"long": LONG_S})
    assert refused.value.retry_after
    left["s"] = 5.0
    with database.reading() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != before


def test_after_deadline_open_connections_write_and_no_new_one_opens(make):
    left = {"s": 5.0}
    database = make(lambda: left["s"])
    with database.transaction() as session:
        session.connection()
        left["s"] = 0.0
        assert session.scalar(text("SELECT 1")) == 1
        with pytest.raises(ServiceUnavailable), Database(database.engine).transaction() as another:
            another.execute(text("SELECT 1"))


@pytest.mark.parametrize("ports", [1, 3])
def test_all_connection_attempts_together_end_at_the_deadline(ports):
    until = time.monotonic() + CALLER_S
    limit = WaitLimit(LONG_S, lambda: max(0.0, until - time.monotonic()))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # its kernel takes connections, and nobody answers them
        where = {"host": ",".join(["127.0.0.1"] * ports), "port": ",".join([str(silent.getsockname()[1])] * ports)}
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(StoreConnection.open, wait_limit=limit, connect_timeout=LONG_S, **where)
            took_s = seconds_until(opening.done)
            assert isinstance(opening.exception(), psycopg.OperationalError)
    assert took_s < CALLER_S + 1


def test_migrations_loads_and_backups_are_not_cut(make):
    database = make(lambda: 5.0, statement_ms=400)
    with database.transaction() as session:
        session.execute(text("SET LOCAL transaction_timeout = 800"))
        lift_limits(session.connection())
        session.execute(text("SELECT pg_sleep(:longer)"), {"longer": 2 * GRACE_S})
    with pytest.raises(ServiceUnavailable), database.transaction() as session:
        session.execute(text("SELECT pg_sleep(:longer)"), {"longer": 2 * GRACE_S})


def stall(database, limit):
    with database.transaction() as session:
        session.execute(text(f"SET LOCAL {limit} = 50"))
        time.sleep(0.2)
        session.execute(text("SELECT 1"))


@pytest.mark.parametrize("limit", ["transaction_timeout", "idle_in_transaction_session_timeout"])
@pytest.mark.parametrize("block", ["reading", "enclosing"])
def test_transaction_ended_by_server_gets_503_and_next_one_succeeds(make, limit, block):
    database = make(lambda: 5.0)
    with pytest.raises(ServiceUnavailable) as refused, getattr(database, block)():
        stall(database, limit)
    assert refused.value.retry_after
    with database.transaction() as session:
        assert session.scalar(text("SELECT 1")) == 1
