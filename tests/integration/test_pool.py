from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, text

from shop.database import pool_events
from shop.database.engine import build_engine
from tests.support.polling import until

CONNECTIONS = 3


@pytest.fixture
def engine(settings, database):
    engine = build_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def hasty(settings, database):
    """A pool whose server soon loses patience."""
    engine = build_engine(settings.model_copy(update={"db_idle_s": 1}))
    yield engine
    engine.dispose()


def open_together(engine: Engine, count: int) -> list[int]:
    """Use so many connections at once; return the server's processes behind them."""
    with ExitStack() as stack:
        connections = [stack.enter_context(engine.connect()) for _ in range(count)]
        return [connection.execute(text("SELECT pg_backend_pid()")).scalar_one() for connection in connections]


def test_sessions_that_the_server_has_ended_cost_no_request(engine, database):
    ended = open_together(engine, CONNECTIONS)
    with database.reading() as session:
        for pid in ended:
            assert session.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    assert not set(open_together(engine, CONNECTIONS)) & set(ended)


def test_overflow_connections_are_closed_after_a_rush(hasty, database):
    opened = open_together(hasty, CONNECTIONS)

    def left():
        (used,) = open_together(hasty, 1)  # as the switches are read every second, whatever the traffic
        with database.reading() as session:
            return used, set(session.scalars(text("SELECT pid FROM pg_stat_activity"))) & set(opened)

    used, alive = until(lambda: found if len((found := left())[1]) == 1 else None)
    assert alive == {used}
    open_together(hasty, CONNECTIONS)
    assert used in open_together(hasty, CONNECTIONS)


@pytest.mark.parametrize(("idle_s", "pings"), [(60.0, 0), (0.0, 1)])
def test_only_a_connection_that_lay_idle_for_long_is_pinged(engine, monkeypatch, idle_s, pings):
    open_together(engine, 1)
    seen, ping = [], engine.dialect.do_ping
    monkeypatch.setattr(engine.dialect, "do_ping", lambda connection: seen.append(1) or ping(connection))
    monkeypatch.setattr(pool_events, "IDLE_S", idle_s)
    open_together(engine, 1)
    assert len(seen) == pings
