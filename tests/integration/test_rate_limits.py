"""Rate limits in the store: who is refused, what the refusal says, and what happens without Valkey."""

import re
import signal
import subprocess
import time
from dataclasses import replace

import pytest

from shop.app import create_app
from shop.patterns.caching.valkey_client import OUTAGE_PAUSE_S
from shop.patterns.rate_limiting import RatePolicy
from shop.patterns.rate_limiting.limiter import ClientRateLimiter
from shop.stack import valkey
from shop.stack.program import free_port
from shop.web import rate_limits
from shop.web.rate_limits import LOG_INS, WRITES
from shop.wiring import build
from tests.support.accounts import CHEAP, PASSWORD, make_account, sign_in
from tests.support.polling import until
from tests.support.rate_limits import NO_RATE_LIMITS
from tests.support.shifted_clock import ShiftedClock

ITEM = {"product": "mug"}
QUOTA = 3


def count(runtime, policy, outcome):
    """How many requests of a policy had an outcome."""
    labels = {"policy": policy, "outcome": outcome}
    return runtime.metrics.registry.get_sample_value("shop_rate_limited_requests_total", labels) or 0.0


@pytest.fixture
def strict(settings, database, cache_client):
    """Builds the runtime of a store whose limits are as given, three writes and log-ins a minute by default."""
    made = []

    def make(**limits):
        strict_limits = {**dict.fromkeys(NO_RATE_LIMITS, QUOTA), **limits}
        runtime = replace(build(settings.model_copy(update=strict_limits)), passwords=CHEAP)
        runtime.start()
        made.append(runtime)
        return runtime

    yield make
    for runtime in made:
        runtime.close()


@pytest.fixture
def store(strict):
    return strict()


@pytest.fixture
def app(store, product_on_shelf):
    product_on_shelf("mug", on_hand=500)
    return create_app(store)


@pytest.fixture
def accounts(database):
    with database.transaction() as session:
        for name in ("ada", "bob"):
            make_account(session, f"{name}@shop.test")


def add(client, **options):
    return client.post("/api/v1/cart/items", json=ITEM, **options)


def statuses(client, requests, **options):
    return [add(client, **options).status_code for _ in range(requests)]


def at(address):
    return {"environ_base": {"REMOTE_ADDR": address}}


def test_a_greedy_client_is_refused_and_others_are_not(app, store):
    assert statuses(app.test_client(), QUOTA + 2) == [200] * QUOTA + [429] * 2
    assert add(app.test_client(), **at("192.0.2.1")).status_code == 200
    assert (count(store, WRITES, "admitted"), count(store, WRITES, "refused")) == (QUOTA + 1, 2)


def test_a_new_cart_makes_no_new_client(app):
    assert [add(app.test_client()).status_code for _ in range(QUOTA + 1)] == [200] * QUOTA + [429]


def test_one_household_in_ipv6_is_one_client(app):
    addresses = [f"2001:db8:0:1::{number}" for number in range(QUOTA + 1)]
    assert [add(app.test_client(), **at(one)).status_code for one in addresses] == [200] * QUOTA + [429]


def test_a_refusal_is_a_problem_document_with_its_wait(app):
    client = app.test_client()
    statuses(client, QUOTA)
    refused = add(client)
    assert refused.content_type == "application/problem+json"
    assert refused.json["type"] == "/problems/too-many-requests"
    assert refused.json["request_id"] == refused.headers["X-Request-ID"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Policy"] == f'"writes";q={QUOTA};w=60'
    assert refused.headers["RateLimit"] == f'"writes";r=0;t={refused.headers["Retry-After"]}'


def test_a_refused_page_is_the_stores_error_page(app):
    client = app.test_client()
    pages = [client.post("/login", data={"email": "ada@shop.test", "password": "x"}) for _ in range(QUOTA + 1)]
    assert [page.status_code for page in pages] == [401] * QUOTA + [429]
    assert "Please wait a moment" in pages[-1].text
    assert pages[-1].content_type.startswith("text/html")


def test_remaining_requests_count_down_on_limited_answers_only(app):
    client = app.test_client()
    left = [re.fullmatch(r'"writes";r=(\d+);t=\d+', add(client).headers["RateLimit"])[1] for _ in range(QUOTA)]
    assert left == ["2", "1", "0"]
    assert "RateLimit" not in client.get("/api/v1/products/mug").headers
    assert "RateLimit" not in client.put("/api/v1/switches/cache.edge", json={"value": "on"}).headers


def test_log_ins_and_writes_have_windows_of_their_own(app, accounts):
    client = app.test_client()
    assert [sign_in(client, "ada@shop.test", "wrong").status_code for _ in range(QUOTA + 1)] == [401] * QUOTA + [429]
    assert add(client).status_code == 200
    tokens = [client.post("/api/v1/tokens", json={}).status_code for _ in range(QUOTA + 1)]
    users = [client.post("/api/v1/users", json={}).status_code for _ in range(QUOTA + 1)]
    assert tokens == users == [422] * QUOTA + [429]


def test_two_browsers_of_an_account_are_one_client(app, accounts):
    browsers = [app.test_client() for _ in range(2)]
    for number, browser in enumerate(browsers):
        assert sign_in(browser, "ada@shop.test").status_code == 200
        add(browser, **at(f"192.0.2.{number}"))  # the process sees that the token works
    found = [add(browsers[number % 2], **at(f"192.0.2.{number}")).status_code for number in range(QUOTA + 1)]
    assert found == [200] * QUOTA + [429]
    assert add(app.test_client()).status_code == 200, "its guests are other clients"


def test_two_accounts_behind_one_address_are_two_clients(strict, accounts, product_on_shelf):
    product_on_shelf("mug", on_hand=500)
    app = create_app(strict(writes_per_minute=4))
    ada, bob = app.test_client(), app.test_client()
    for browser, name in ((ada, "ada"), (bob, "bob")):
        sign_in(browser, f"{name}@shop.test")
        add(browser)  # counts for the address
    assert statuses(ada, 5) == [200] * 4 + [429]
    assert statuses(bob, 4) == [200] * 4


def test_an_invented_token_is_no_new_client(app):
    client = app.test_client()
    invented = [{"Authorization": f"Bearer {number}"} for number in range(QUOTA + 1)]
    assert [add(client, headers=headers).status_code for headers in invented] == [401] * QUOTA + [429]


def test_a_forged_forwarded_address_is_no_new_client(app):
    client = app.test_client()
    forged = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in range(QUOTA + 1)]
    assert [add(client, headers=headers).status_code for headers in forged] == [200] * QUOTA + [429]


def test_a_refused_request_changes_nothing_and_keeps_its_key(app):
    client, key = app.test_client(), {"Idempotency-Key": "one"}
    statuses(client, QUOTA)
    assert add(client, headers=key).status_code == 429
    assert client.get("/api/v1/cart").json["count"] == QUOTA
    accepted = add(client, headers=key, **at("192.0.2.9"))
    assert (accepted.status_code, accepted.headers.get("Idempotency-Replayed")) == (200, None)


def test_with_the_switch_off_nobody_is_counted(app, store):
    client = app.test_client()
    client.put("/api/v1/switches/overload.rate_limit", json={"value": "off"})
    assert statuses(client, QUOTA + 2) == [200] * (QUOTA + 2)
    assert "RateLimit" not in add(client).headers
    assert count(store, WRITES, "admitted") == 0


def test_two_processes_count_together(strict, product_on_shelf):
    product_on_shelf("mug", on_hand=500)
    clients = [create_app(strict()).test_client() for _ in range(2)]
    assert [add(clients[number % 2]).status_code for number in range(QUOTA + 1)] == [200] * QUOTA + [429]


def test_a_refusal_asks_the_database_nothing(app):
    client = app.test_client()
    statuses(client, QUOTA)
    assert 'desc="0 queries"' in add(client).headers["Server-Timing"]


def test_a_warm_answer_never_reaches_the_limits(app, monkeypatch):
    client, asked = app.test_client(), []
    client.get("/api/v1/products/mug")
    monkeypatch.setattr(rate_limits, "policy_name", lambda method, path: asked.append(path))
    assert "hit" in client.get("/api/v1/products/mug").headers["Cache-Status"]
    assert asked == []
    client.get("/api/v1/cart")
    assert asked == ["/api/v1/cart"]


class OwnLimiter:
    """A limiter over a Valkey of its own, with what it has recorded."""

    def __init__(self, home):
        program = valkey.cache(home, free_port(), memory_mb=16)
        self.process = subprocess.Popen(program.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(program.healthy)
        self.clock, self.outcomes, self.outages = ShiftedClock(), [], []
        self.limiter = ClientRateLimiter(
            valkey.url(home, program.port),
            100,
            self.clock,
            lambda policy, outcome: self.outcomes.append((policy, outcome)),
            self.outages.append,
        )

    def ask(self, policy=None):
        return self.limiter.count_request(policy or RatePolicy(LOG_INS, 2), "address:192.0.2.1")


@pytest.fixture
def own(tmp_path):
    own = OwnLimiter(tmp_path / "valkey")
    yield own
    own.limiter.close()
    own.process.send_signal(signal.SIGCONT)
    own.process.kill()
    own.process.wait()


def test_a_window_ends_and_another_begins(own):
    policy = RatePolicy("short", 1, window_s=1)
    assert own.ask(policy).is_admitted
    assert not own.ask(policy).is_admitted
    until(lambda: own.ask(policy).is_admitted)


def test_a_hanging_valkey_costs_one_timeout_a_pause(own):
    assert own.ask() is not None
    own.process.send_signal(signal.SIGSTOP)
    began = time.perf_counter()
    assert [own.ask() for _ in range(200)] == [None] * 200
    assert time.perf_counter() - began < 1.0, "one time-out of 0.1 s, not 200"
    assert own.outcomes[1:] == [(LOG_INS, "unchecked")] * 200
    assert len(own.outages) == 1


def test_counting_goes_on_when_valkey_is_back(own):
    assert own.ask().remaining == 1
    own.process.send_signal(signal.SIGSTOP)
    assert own.ask() is None
    own.process.send_signal(signal.SIGCONT)
    assert own.ask() is None, "the pause is not over"
    own.clock.advance(OUTAGE_PAUSE_S)
    until(lambda: own.ask() is not None)
    assert own.ask().is_admitted is False


def test_without_valkey_every_log_in_is_tried_and_counted(strict, accounts, monkeypatch):
    store = strict(cache_url=f"redis://127.0.0.1:{free_port()}/0")
    client = create_app(store).test_client()
    assert [sign_in(client, "ada@shop.test", PASSWORD).status_code for _ in range(QUOTA + 1)] == [200] * (QUOTA + 1)
    assert count(store, LOG_INS, "unchecked") == QUOTA + 1
