"""Liveness and readiness, which are two questions."""

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

    def make(*dependencies, bound_s=1.0):
        made.append(ReadinessCheck(dependencies, SystemClock(), bound_s))
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


def test_a_live_process_says_so_without_asking_anybody(probing):
    client = probing(database_url=f"postgresql://nobody@127.0.0.1:{free_port()}/none", cache_url=None)
    assert client.get("/livez").json == {"status": "alive"}


def test_a_store_with_its_database_is_ready_whatever_else_is_away(probing):
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
def test_a_payments_provider_is_well_when_it_answers_the_store_s_own_call(probing, settings, simulator, case):
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


def test_a_database_that_lacks_the_schema_makes_it_not_ready(probing, new_database):
    answer = probing(database_url=new_database("empty", template=None)).get("/readyz")
    assert answer.status_code == 503
    assert answer.json["dependencies"]["postgres"]["state"] == "ok"
    assert "shop migrate" in answer.json["dependencies"]["schema"]["detail"]


def test_a_schema_newer_than_this_release_is_well(probing, new_database, database):
    import psycopg

    url = new_database("newer")
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert probing(database_url=url).get("/readyz").status_code == 200


def test_probes_leave_no_trace_and_take_only_reads(client, settings):
    assert "X-Request-ID" not in client.get("/livez").headers
    assert client.head("/readyz").data == b""
    refused = client.post("/livez")
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "GET, HEAD"


def test_an_outcome_is_kept_so_that_a_storm_of_probes_asks_once(asking):
    check = Counted()
    ready = asking(HealthDependency("postgres", True, check))
    for _ in range(50):
        assert ready.report().ready
    assert check.asked == 1


def test_a_dependency_that_hangs_is_away_within_the_bound_and_is_not_asked_twice(asking, monkeypatch):
    monkeypatch.setattr(readiness, "CACHED_S", 0.0)
    let_go, asked = threading.Event(), []

    def hang():
        asked.append(1)
        let_go.wait(10)

    ready = asking(HealthDependency("postgres", True, hang), HealthDependency("cache", False, Counted()), bound_s=0.1)
    reports = [ready.report() for _ in range(3)]
    let_go.set()
    assert len(asked) == 1
    assert not any(report.ready for report in reports)
    assert reports[0].states["postgres"].fault == "no answer within 0.1 s"
    assert reports[0].states["cache"].fault == ""


def test_a_prober_is_not_kept_waiting_for_a_dependency_that_hangs(asking, monkeypatch):
    monkeypatch.setattr(readiness, "CACHED_S", 0.0)
    let_go, hangs = threading.Event(), threading.Event()
    ready = asking(HealthDependency("postgres", True, lambda: hangs.is_set() and let_go.wait(20)), bound_s=0.5)
    assert ready.latest(patience_s=10).ready
    hangs.set()
    assert all(ready.latest(patience_s=0.0).ready for _ in range(5))  # the outcome before, while one question goes on
    assert not ready.latest(patience_s=10).ready  # the end of that question
    let_go.set()
    assert until(lambda: ready.latest(patience_s=10).ready)


def test_a_prober_waits_for_the_first_outcome_and_for_a_new_one_after_a_long_time(asking, monkeypatch):
    monkeypatch.setattr(readiness, "CACHED_S", 0.0)
    check = Counted()
    slow = asking(HealthDependency("postgres", True, lambda: (time.sleep(0.05), check())), bound_s=5.0)
    assert slow.latest(patience_s=0.0).states
    monkeypatch.setattr(readiness, "OUTDATED_S", 0.0)
    check.fault = RuntimeError("away")
    assert not slow.latest(patience_s=0.0).ready


def test_a_process_about_to_stop_is_not_ready(asking):
    ready = asking(HealthDependency("postgres", True, Counted()))
    ready.stop_taking_traffic()
    assert ready.report().to_json()["status"] == "stopping"
    assert not ready.report().ready
