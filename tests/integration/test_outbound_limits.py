"""Every wait for another server, and for another request, ends: at its own limit, and at the request's deadline.

Each server here is a port whose kernel takes the connection, and nobody answers it; each place in a queue is taken.
"""

import math
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial

import pytest
from argon2 import PasswordHasher

from shop.accounts.passwords import PasswordHashing
from shop.catalog.listing.list_bulkhead import ListBulkhead
from shop.clock import SystemClock
from shop.database.connection import GRACE_S
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.errors import ServiceUnavailable, TooManyRequests
from shop.mail.email_templates import OutgoingEmail
from shop.mail.mailer import MailFailed, SmtpMailer
from shop.patterns.caching import CATALOGUE, Cache, LockedLoad, SharedLevel, StampedeState
from shop.patterns.caching.load_options import LoadFailed
from shop.patterns.caching.valkey_client import CacheUnavailable, ValkeyClient
from shop.patterns.edge.surrogate_keys import SurrogateKeyIndex
from shop.patterns.health import checks
from shop.patterns.health.server_faults import CheckFailed
from shop.patterns.outbox.relay import BrokerUnavailable
from shop.patterns.queue import rabbitmq as rabbitmq_broker
from shop.patterns.queue import valkey as valkey_broker
from shop.patterns.queue.message_broker import MessageBroker
from shop.patterns.resilience import deadlines
from shop.payments.http_provider import HttpProvider

SHORT_S = 0.3
LONG_S = 10.0
SLACK_S = 1.0
"""For a machine that is busy; far less than what the wait would be without its limit."""
EMAIL = OutgoingEmail("<one@shop>", "ann@example.com", "Subject", "Text", "<p>Text</p>")


@dataclass(frozen=True)
class Surroundings:
    """What a call meets: a server that says nothing, and the store's own settings for the rest."""

    port: int
    settings: object
    limit_s: float
    closing: ExitStack


def statement(here: Surroundings) -> None:
    database = one_connection(here, db_statement_timeout_ms=int(1000 * here.limit_s))
    with database.reading() as session:
        session.connection().exec_driver_sql(f"SELECT pg_sleep({3 * LONG_S})")


def pool(here: Surroundings) -> None:
    database = one_connection(here, db_pool_timeout_s=here.limit_s)
    held = here.closing.enter_context(database.engine.connect())
    assert held
    with database.reading() as session:
        session.connection()


def one_connection(here: Surroundings, **changes: object) -> Database:
    engine = build_engine(
        here.settings.model_copy(update={"db_pool_size": 1, **changes}), time_left=deadlines.remaining
    )
    here.closing.callback(engine.dispose)
    return Database(engine)


def connect(here: Surroundings) -> None:
    changes = {"database_url": f"postgresql://shop@127.0.0.1:{here.port}/shop", "db_connect_timeout_s": 2}
    with one_connection(here, **changes).reading() as session:
        session.connection()


def cache(here: Surroundings) -> None:
    client = ValkeyClient(f"redis://:word@127.0.0.1:{here.port}/1", int(1000 * here.limit_s), SystemClock(), "shared")
    client.execute([("GET", "key")])


def edge_index(here: Surroundings) -> None:
    SurrogateKeyIndex(f"redis://127.0.0.1:{here.port}", int(1000 * here.limit_s), SystemClock()).keys(["tag"])


def provider(here: Surroundings) -> None:
    HttpProvider(f"http://127.0.0.1:{here.port}", int(1000 * here.limit_s)).find_charge("key")


def mail(here: Surroundings) -> None:
    SmtpMailer(f"smtp://127.0.0.1:{here.port}", "shop@example.com", here.limit_s).send(EMAIL)


def mail_over_tls(here: Surroundings) -> None:
    SmtpMailer(f"smtps://127.0.0.1:{here.port}", "shop@example.com", here.limit_s).send(EMAIL)


def list_turn(here: Surroundings) -> None:
    bulkhead = ListBulkhead(threads=4, turn_timeout_s=here.limit_s)
    for _ in range(2):
        here.closing.enter_context(bulkhead.turn())
    with bulkhead.turn():
        pass


def hash_turn(here: Surroundings) -> None:
    hashing = PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8), 1, 1, here.limit_s)
    here.closing.enter_context(hashing._bulkhead())
    hashing.hash("a password")


def other_readers_load(here: Surroundings) -> None:
    level = SharedLevel(here.settings.cache_url, 2_000, SystemClock())
    here.closing.callback(level.close)
    cache = Cache(level, SystemClock(), strategy=partial(LockedLoad, state=StampedeState(max_wait_s=here.limit_s)))
    began, release, loads = threading.Event(), threading.Event(), []

    def load() -> bytes:
        loads.append(began.set())
        release.wait(3 * LONG_S)
        return b"value"

    leading = threading.Thread(target=cache.get_or_load, args=("key", CATALOGUE, ["tag"], load))
    leading.start()
    here.closing.callback(leading.join)
    here.closing.callback(release.set)
    assert began.wait(LONG_S)
    if not math.isinf(deadlines.remaining()):
        cache.get_or_load("key", CATALOGUE, ["tag"], lambda: pytest.fail("a load for nobody"))
    else:
        assert cache.get_or_load("key", CATALOGUE, ["tag"], lambda: b"own") == b"own"


def broker(here: Surroundings) -> None:
    MessageBroker(f"redis://127.0.0.1:{here.port}", ["mail"], 10).publish("mail", {})


def rabbitmq(here: Surroundings) -> None:
    MessageBroker(f"amqp://127.0.0.1:{here.port}", ["mail"], 10).publish("mail", {})


def readiness(here: Surroundings) -> None:
    checks.valkey(f"redis://127.0.0.1:{here.port}")()


def readiness_of_rabbitmq(here: Surroundings) -> None:
    checks.broker(f"amqp://127.0.0.1:{here.port}")()


REFUSALS = (
    ServiceUnavailable,
    TooManyRequests,
    CacheUnavailable,
    MailFailed,
    BrokerUnavailable,
    CheckFailed,
    LoadFailed,
)
"""What the store makes of a wait in vain; any other exception fails the test."""
OF_REQUESTS: dict[str, Callable[[Surroundings], None]] = {
    "a statement": statement,
    "a wait for a connection of the pool": pool,
    "the cache": cache,
    "the index of the edge": edge_index,
    "the payments provider": provider,
    "the mail server": mail,
    "the mail server over TLS": mail_over_tls,
    "a turn to build a list": list_turn,
    "a turn to hash a password": hash_turn,
    "another reader's load": other_readers_load,
}
"""The waits whose own limit the test can choose, all of which a request can meet."""
OF_OTHERS: dict[str, tuple[Callable[[Surroundings], None], float]] = {
    "opening a connection": (connect, 2.0),
    "the broker, a Valkey": (broker, valkey_broker.TIMEOUT_S),
    "the broker, a RabbitMQ": (rabbitmq, rabbitmq_broker.CONNECT_TIMEOUT_S),
    "a readiness check": (readiness, checks.TIMEOUT_S),
    "a readiness check of a RabbitMQ": (readiness_of_rabbitmq, checks.TIMEOUT_S),
}
"""The waits whose limit is fixed, with that limit in seconds."""


@pytest.fixture
def here(settings, database, cache_client):
    with ExitStack() as closing, socket.create_server(("127.0.0.1", 0), backlog=16) as silent:

        def make(limit_s: float) -> Surroundings:
            return Surroundings(silent.getsockname()[1], settings, limit_s, closing)

        yield make


def seconds_of(call: Callable[[Surroundings], None], here: Surroundings) -> float:
    began = time.monotonic()
    with suppress(*REFUSALS):
        call(here)
    return time.monotonic() - began


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_wait_ends_at_its_own_limit(here, name):
    grace_s = GRACE_S if name == "a statement" else 0.0
    steps = 4 if name in ("the cache", "the index of the edge") else 1
    assert seconds_of(OF_REQUESTS[name], here(SHORT_S)) < steps * SHORT_S + grace_s + SLACK_S


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_wait_ends_at_the_deadline_of_the_request(here, name):
    with deadlines.within(SHORT_S):
        took_s = seconds_of(OF_REQUESTS[name], here(LONG_S))
    assert took_s < SHORT_S + GRACE_S + SLACK_S


@pytest.mark.parametrize("name", OF_OTHERS)
def test_wait_with_a_fixed_limit_ends(here, name):
    call, limit_s = OF_OTHERS[name]
    assert seconds_of(call, here(LONG_S)) < limit_s + SLACK_S


def test_opening_a_connection_ends_at_the_deadline(here):
    with deadlines.within(SHORT_S):
        assert seconds_of(connect, here(LONG_S)) < SHORT_S + SLACK_S


def test_short_wait_of_one_request_opens_no_breaker(here, settings, cache_client):
    cache_client.set("key", "value")
    port = here(LONG_S).port
    silent = ValkeyClient(f"redis://127.0.0.1:{port}", 3_000, SystemClock(), "shared")
    with deadlines.within(0), pytest.raises(CacheUnavailable):
        silent.execute([("GET", "key")])
    assert not silent.breaker.is_open
    well = ValkeyClient(settings.cache_url, 3_000, SystemClock(), "shared")
    for _ in range(2):  # on a connection of its own, and on the thread's
        with deadlines.within(SHORT_S):
            assert well.execute([("GET", "key")]) == [b"value"]
        assert well.execute([("GET", "key")]) == [b"value"]
    well.close()


def test_emptied_pool_keeps_its_own_limit(here):
    pool = one_connection(here(LONG_S), db_pool_timeout_s=LONG_S).engine.pool
    with deadlines.within(SHORT_S):
        emptied = pool.recreate()
        assert emptied.timeout() <= SHORT_S + GRACE_S
    assert emptied.timeout() == LONG_S
