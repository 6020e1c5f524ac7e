"""A database that takes no changes: a standby, or a server that was told so. Browsing goes on, writing waits."""

import uuid
from dataclasses import replace

import psycopg
import pytest
import redis
from click.testing import CliRunner
from sqlalchemy import select, text

from shop import queue_wiring
from shop.app import create_app
from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.checkout.details import CheckoutDetails
from shop.cli import main
from shop.database.engine import build_engine
from shop.database.schema import upgrade
from shop.errors import ConfigurationError, DatabaseReadOnly
from shop.mail.models import Mail
from shop.stack import external_servers
from shop.wiring import build
from tests.integration.test_worker import Process
from tests.support.accounts import CHEAP, PASSWORD, make_account, sign_in
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product
from tests.support.polling import until
from tests.support.postgres_server import OwnPostgres

EMAIL = "ann@shop.test"
PROBLEM = "/problems/database-read-only"


class Told:
    """A database of the tests' server that is told to take no changes. Its sessions end, as after a failover."""

    def __init__(self, url):
        self.url = url
        self._name = url.rpartition("/")[2]

    def only_read(self):
        self._run(f'ALTER DATABASE "{self._name}" SET default_transaction_read_only = on')
        self._run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", self._name)

    def take_changes(self):
        self._run(f'ALTER DATABASE "{self._name}" RESET default_transaction_read_only')

    def _run(self, statement, *given):
        with psycopg.connect(self.url.replace(self._name, "postgres"), autocommit=True) as connection:
            connection.execute(statement.encode(), given)


class Standby:
    """A server that becomes a standby, and is promoted."""

    def __init__(self):
        self._server = OwnPostgres()
        self._server.start()
        self.url = self._server.url
        self.only_read, self.stop = self._server.restart_as_standby, self._server.stop

    def take_changes(self):
        with psycopg.connect(self.url, autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("told", marks=pytest.mark.xdist_group("read-only")),
        pytest.param("standby", marks=pytest.mark.xdist_group("standby")),
    ],
)
def server(request, new_database, settings):
    """A server with the store's schema, taking changes."""
    if request.param == "told":
        yield Told(new_database("read_only"))
        return
    standby = Standby()
    engine = build_engine(settings.model_copy(update={"database_url": standby.url}))
    upgrade(engine)
    engine.dispose()
    yield standby
    standby.stop()


@pytest.fixture(scope="module")
def stocked(server, settings):
    """A runtime of a store with a product, an account, an order's message and a filled cart, on what now only reads."""
    own = settings.model_copy(update={"database_url": server.url, "cache_url": None})
    runtime = replace(build(own), passwords=CHEAP)
    runtime.start()
    with runtime.database.transaction() as session:
        make_product(session, make_category(session, "mugs"), "blue-mug")
        make_account(session, EMAIL)
    client = create_app(runtime).test_client()
    assert sign_in(client, EMAIL).status_code == 200
    assert client.post("/api/v1/cart/items", json={"product": "blue-mug", "quantity": 1}).status_code == 200
    server.only_read()
    yield runtime, client
    runtime.close()


@pytest.fixture
def runtime(stocked):
    return stocked[0]


@pytest.fixture
def client(stocked):
    """The browser of somebody who had signed in before."""
    return stocked[1]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/c/mugs", "/p/blue-mug", "/search?q=mug", "/cart", "/checkout", "/account", "/orders"),
        *("/api/v1/products/blue-mug", "/api/v1/cart", "/api/v1/me", "/api/v1/orders"),
    ],
)
def test_browsing_goes_on(client, path):
    assert client.get(path).status_code == 200


CHANGES = [
    ("POST", "/api/v1/cart/items", {"product": "blue-mug", "quantity": 1}),
    ("PATCH", "/api/v1/cart/items/blue-mug", {"quantity": 3}),
    ("DELETE", "/api/v1/cart/items/blue-mug", None),
    ("POST", "/api/v1/checkout", DETAILS),
    ("POST", "/api/v1/session", {"email": EMAIL, "password": PASSWORD}),
    ("PUT", "/api/v1/switches/cache.shared", {"value": "off"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("key", [None, "a-key"])
def test_a_change_is_503_and_told_when_to_come_back(client, method, path, body, key):
    if key is None and path == "/api/v1/checkout":
        return  # it takes none without
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.open(path, method=method, json=body, headers=headers)
    assert (answer.status_code, answer.json["type"], answer.headers["Retry-After"]) == (503, PROBLEM, "5")


def test_change_on_read_only_store_shows_an_explaining_page(client):
    answer = client.post("/cart/items", data={"product": "blue-mug", "quantity": "1"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "takes no changes at the moment" in answer.text


@pytest.mark.parametrize("isolation", [None, "SERIALIZABLE"])
def test_a_write_in_any_isolation_is_refused(runtime, isolation):
    with pytest.raises(DatabaseReadOnly):
        runtime.database.run_in_transaction(
            lambda session: session.execute(text("DELETE FROM carts")), isolation=isolation
        )


def postgres_of(client):
    return client.get("/readyz").json["dependencies"]["postgres"]


def test_web_process_is_ready_and_reports_read_only_state(client):
    until(lambda: postgres_of(client)["state"] == "read-only")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")


@pytest.mark.parametrize("words", [["migrate"], ["seed"], ["prepare"]])
def test_setup_commands_refuse_read_only_database_with_advice(server, stocked, words):
    done = CliRunner().invoke(main, words, env={"DATABASE_URL": server.url})
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert "takes no changes" in done.stderr
    assert "Set DATABASE_URL to the primary" in done.stderr


@pytest.mark.parametrize("words", ["reap", "switch set cache.shared off", "queue requeue 1", "orders rebuild"])
def test_other_commands_say_it_in_one_line(server, stocked, words):
    done = CliRunner().invoke(main, words.split(), env={"DATABASE_URL": server.url})
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1), done.output
    assert "takes no changes" in done.stderr


def test_the_stack_does_not_start_on_it(settings, server, stocked):
    with pytest.raises(ConfigurationError, match="takes no changes"):
        external_servers.check(settings.model_copy(update={"database_url": server.url}), "database_url")


def test_when_it_takes_changes_again_the_same_process_writes(server, runtime, client):
    with runtime.database.reading() as one, runtime.database.reading() as another:  # sessions that only read
        assert {one.scalar(text("SHOW transaction_read_only")), another.scalar(text("SELECT 1"))} == {"on", 1}
    server.take_changes()
    try:
        until(lambda: client.post("/api/v1/cart/items", json={"product": "blue-mug", "quantity": 1}).status_code == 200)
        until(lambda: postgres_of(client)["state"] == "ok")
        assert CliRunner().invoke(main, ["migrate"], env={"DATABASE_URL": server.url}).exit_code == 0
    finally:
        server.only_read()


@pytest.fixture
def told(new_database):
    return Told(new_database("told"))


def test_deliveries_wait_and_worker_is_unready_while_read_only(told, settings, simulator):
    own = settings.model_copy(update={"database_url": told.url})
    broker = redis.Redis.from_url(own.broker_url)
    broker.flushdb()
    runtime = build(own)
    with runtime.database.transaction() as session:
        make_product(session, make_category(session), "mug")
    owner = CartOwner(guest_cart_id=uuid.uuid4())
    CartService(runtime.database, offers).add(owner, "mug", 1)
    runtime.services().checkout.submit(owner, "the-key", CheckoutDetails.model_validate(DETAILS))
    transport = queue_wiring.message_broker(own)
    assert queue_wiring.relay(runtime, transport).run_once()
    told.only_read()
    worker = Process(own)
    try:
        until(lambda: (said := worker.get("/readyz"))[0] == 503 and "DatabaseReadOnly" in said[1])
        until(lambda: "delivery_not_begun" in (own.log_dir / "worker.jsonl").read_text())
        told.take_changes()
        until(lambda: worker.get("/readyz")[0] == 200)
        until(lambda: _mails(runtime) == 1)
        assert list(broker.scan_iter("*.XQ")) == []  # what the broker has given up on
    finally:
        worker.end(9)
        transport.stop(1)
        broker.close()
        runtime.close()


def _mails(runtime):
    with runtime.database.reading() as session:
        return len(session.scalars(select(Mail)).all())
