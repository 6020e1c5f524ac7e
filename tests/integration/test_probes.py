"""Liveness and readiness."""

import threading
import time

import pytest

from shop.app import create_app
from shop.clock import SystemClock
from shop.patterns.health import readiness
from shop.patterns.health.readiness import HealthDependency, ReadinessCheck
from shop.stack.program import free_port
from shop.wiring import build
from tests.support.polling import until


class Counted:
    def __init__(self, fault=None):
        self.asked = 0
        self.fault = fault

    def __call__(self):
        self.asked += 1
        if self.fault:
            raise self.fault


@pytest.fixture
def asking():
    made = []

    def make(*dependencies, timeout_s=1.0):
        made.append(ReadinessCheck(dependencies, SystemClock(), timeout_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def probing(settings, database):
    """A client of a store whose settings differ in some fields."""
    runtimes = []

    def make(**changes):
        runtimes.append(build(settings.model_copy(update=changes)))
        return create_app(runtimes[-1]).test_client()

    yield make
    for runtime in runtimes:
        runtime.close()


def test_liveness_checks_no_dependency(probing):
    client = probing(database_url=f"postgresql://nobody@127.0.0.1:{free_port()}/none", cache_url=None)
    assert client.get("/livez").json == {"status": "alive"}


def test_a_store_is_ready_without_its_optional_dependencies(probing):
    away = f"127.0.0.1:{free_port()}"
    client = probing(cache_url=f"redis://{away}/0", broker_url=f"redis://{away}/0", payments_url=f"http://{away}")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    found = answer.json["dependencies"]
    assert {name: (one["state"], one["required"]) for name, one in found.items()} == {
        "postgres": ("ok", True),
        "schema": ("ok", True),
        "cache": ("away", False),
        "broker": ("away", False),
        "payments": ("away", False),
        "threads": ("ok", True),
    }


PROVIDERS = {
    "as the store needs it": ({}, {}, "ok", ""),
    "with another key": ({"payments_api_key": "of-another-store"}, {}, "away", "refuses the store's key (401)"),
    "without a key": ({"payments_api_key": ""}, {}, "away", "refuses the store's key (401)"),
    "below another path": ({"path": "/v2"}, {}, "away", "answers 404 to GET /charges"),
    "that refuses every call": ({}, {"error_rate": 1.0}, "away", "answers 503 to GET /charges"),
    "that is too slow": ({}, {"latency_ms": 1500}, "away", "no answer"),
}


@pytest.mark.parametrize("case", PROVIDERS)
def test_a_payments_provider_is_checked_with_the_stores_key(probing, settings, simulator, case):
    changes, manners, state, detail = PROVIDERS[case]
    url = simulator.url + changes.get("path", "")
    simulator.behave(**manners)
    key = changes.get("payments_api_key", settings.payments_api_key)
    client = probing(payments_url=url, payments_api_key=key)

    def told():
        found = client.get("/readyz").json["dependencies"]["payments"]
        return found["state"] == state and found["detail"].startswith(detail)

    until(told)  # at once, unless this machine stands still for longer than a check may take
    answer = client.get("/readyz")
    assert answer.status_code == 200  # browsing goes on
    assert simulator.url not in answer.text
    assert key == "" or key not in answer.text


def test_a_store_without_its_database_is_not_ready(probing):
    answer = probing(database_url=f"postgresql://nobody@127.0.0.1:{free_port()}/none").get("/readyz")
    assert answer.status_code == 503
    assert answer.json["status"] == "not ready"
    assert answer.json["dependencies"]["postgres"]["state"] == "away"


def test_a_store_without_its_schema_is_not_ready(probing, new_database):
    answer = probing(database_url=new_database("empty", template=None)).get("/readyz")
    assert answer.status_code == 503
    assert answer.json["dependencies"]["postgres"]["state"] == "ok"
    assert "bin/shop migrate" in answer.json["dependencies"]["schema"]["detail"]


def test_a_schema_newer_than_the_release_is_accepted(probing, new_database, database):
    import psycopg

    url = new_database("newer")
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert probing(database_url=url).get("/readyz").status_code == 200


def test_probes_accept_only_reads_and_have_no_request_id(client, settings):
    assert "X-Request-ID" not in client.get("/livez").headers
    assert client.head("/readyz").data == b""
    refused = client.post("/livez")
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "GET, HEAD"


def test_many_probes_share_one_cached_outcome(asking):
    check = Counted()
    ready = asking(HealthDependency("postgres", True, check))
    for _ in range(50):
        assert ready.report().ready
    assert check.asked == 1


def test_a_hanging_dependency_times_out_and_is_checked_once(asking, monkeypatch):
    monkeypatch.setattr(readiness, "CACHED_S", 0.0)
    let_go, asked = threading.Event(), []

    def hang():
        asked.append(1)
        let_go.wait(10)

    ready = asking(HealthDependency("postgres", True, hang), HealthDependency("cache", False, Counted()), timeout_s=0.1)
    reports = [ready.report() for _ in range(3)]
    let_go.set()
    assert len(asked) == 1
    assert not any(report.ready for report in reports)
    assert reports[0].states["postgres"].fault == "no answer within 0.1 s"
    assert reports[0].states["cache"].fault == ""


def test_a_probe_does_not_wait_for_a_hanging_dependency(asking, monkeypatch):
    monkeypatch.setattr(readiness, "CACHED_S", 0.0)
    let_go, hangs = threading.Event(), threading.Event()
    ready = asking(HealthDependency("postgres", True, lambda: hangs.is_set() and let_go.wait(20)), timeout_s=0.5)
    assert ready.latest(max_wait_s=10).ready
    hangs.set()
    assert all(ready.latest(max_wait_s=0.0).ready for _ in range(5))  # the outcome before, while one question goes on
    assert not ready.latest(max_wait_s=10).ready  # the end of that question
    let_go.set()
    assert until(lambda: ready.latest(max_wait_s=10).ready)


def test_a_probe_waits_if_there_is_no_recent_outcome(asking, monkeypatch):
    monkeypatch.setattr(readiness, "CACHED_S", 0.0)
    check = Counted()
    slow = asking(HealthDependency("postgres", True, lambda: (time.sleep(0.05), check())), timeout_s=5.0)
    assert slow.latest(max_wait_s=0.0).states
    monkeypatch.setattr(readiness, "OUTDATED_S", 0.0)
    check.fault = RuntimeError("away")
    assert not slow.latest(max_wait_s=0.0).ready


def test_a_stopping_process_is_not_ready(asking):
    ready = asking(HealthDependency("postgres", True, Counted()))
    ready.stop_taking_traffic()
    assert ready.report().to_json()["status"] == "stopping"
    assert not ready.report().ready
