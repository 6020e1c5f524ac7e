"""The deadline of a request, from its caller to the provider."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from shop.app import create_app
from shop.orders.models import Order
from shop.patterns.resilience import deadlines
from tests.support.checkout_processes import DETAILS
from tests.support.guest_carts import carry_cart, guest_with_cart


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


def buy(client, deadline_ms):
    headers = {"Idempotency-Key": "k", "X-Deadline-Ms": deadline_ms}
    return client.post("/api/v1/checkout", json=DETAILS, headers=headers)


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
