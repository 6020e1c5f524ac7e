"""Faults done to real servers: a killed Valkey, a PostgreSQL that hangs, and what becomes of them afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import redis
from click.testing import CliRunner

from shop.cli.fault import fault
from shop.errors import InvalidFields, ServiceUnavailable, StateConflict
from shop.faults import FaultChannel, FaultReport
from shop.settings import load_settings
from shop.stack import down, postgres, valkey
from shop.stack.program import free_port, port_answers
from shop.stack.state import StateFile
from tests.support import fault_supervisor
from tests.support.process_cleanup import ended_on_failure

pytestmark = pytest.mark.xdist_group("faults")  # one process, one stack to break
PATIENCE_S = 30
IN_FORCE_WITHIN_S = 0.5
BUSY_MACHINE = 3
"""How much longer it may take where everything else runs at the same time."""


def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found


class Stack:
    def __init__(self, var) -> None:
        for name in ("run", "log"):
            (var / name).mkdir(parents=True)
        var.chmod(0o755)
        self.var, self.cache_port, self.database_port = var, free_port(), free_port()
        self.state, self.desk = StateFile(var / "run"), FaultChannel(var / "run")
        self.log = (var / "out").open("wb")
        argv = [sys.executable, fault_supervisor.__file__, str(var), str(self.cache_port), str(self.database_port)]
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log)
        with ended_on_failure(self._end_servers):
            until(lambda: self.state.load().phase == "ready")
        self.cache_url = valkey.url(var / "cache", self.cache_port)
        self.cache = redis.Redis.from_url(self.cache_url, socket_timeout=PATIENCE_S, retry=None)

    def cache_answers(self):
        return valkey.is_ready(self.cache_port, valkey.server_password(self.var / "cache"))

    def database_address(self):
        return postgres.url(self.var / "pg", self.database_port, "postgres")

    def pid(self, name):
        return self.state.load().processes[name].pid

    def restarts(self, name):
        return self.state.load().processes[name].restarts

    def end(self) -> None:
        self.cache.close()
        self._end_servers()

    def _end_servers(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.log.close()
        down.stop_leftovers(self.state, lambda line: None)


@pytest.fixture(scope="module")
def one_stack(tmp_path_factory):
    base = tmp_path_factory.mktemp("breakable")
    for directory in (base, *base.parents):
        if directory.owner() == base.owner():
            directory.chmod(directory.stat().st_mode | 0o055)
    stack = Stack(base / "var")
    yield stack
    stack.end()


@pytest.fixture
def stack(one_stack):
    yield one_stack
    one_stack.desk.clear()
    until(lambda: one_stack.cache_answers() and postgres.is_ready(one_stack.database_port))


def test_cache_that_is_down_stays_down_until_cleared(stack):
    before, restarts = stack.pid("cache"), stack.restarts("cache")
    report = stack.desk.request("cache", "down")
    assert report.active == {"cache": "down", "database": "none", "mail": "none"}
    until(lambda: not port_answers(stack.cache_port))
    until(lambda: "killed and kept down, as requested" in (stack.var / "out").read_text())
    time.sleep(0.7)  # longer than the first back-off: nothing but the fault keeps it down
    assert not port_answers(stack.cache_port)
    stack.desk.request("cache", "none")
    until(lambda: stack.cache_answers())
    assert stack.pid("cache") != before
    until(lambda: stack.restarts("cache") == restarts + 1)


def test_hanging_cache_accepts_connections_and_keeps_its_data(stack):
    stack.cache.set("kept", "yes")
    stack.desk.request("cache", "hang")
    with pytest.raises(redis.exceptions.TimeoutError):
        redis.Redis.from_url(stack.cache_url, socket_timeout=0.3, retry=None).get("kept")
    stack.desk.request("cache", "none")
    assert stack.cache.get("kept") == b"yes"


def test_a_flush_is_done_once_and_is_over(stack):
    stack.cache.set("kept", "yes")
    assert stack.desk.request("cache", "flush").active["cache"] == "none"
    assert stack.cache.dbsize() == 0


def test_two_faults_requested_at_once_are_both_applied(stack):
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda name: stack.desk.request(name, "hang"), ["cache", "database"]))
    assert [report.failed for report in reports] == ["", ""]
    assert stack.desk.report().active == {"cache": "hang", "database": "hang", "mail": "none"}


def test_a_database_that_hangs_stops_the_sessions_it_has_too(stack):
    with psycopg.connect(
        postgres.url(stack.var / "pg", stack.database_port, "postgres"), autocommit=True
    ) as connection:
        connection.execute("SELECT 1")
        stack.desk.request("database", "hang")
        connection.pgconn.send_query(b"SELECT 1")
        connection.pgconn.flush()
        readable = _readable(connection.pgconn.socket, 0.5)
        stack.desk.request("database", "none")
        assert not readable, "the session answered: only the parent was stopped"
        assert _readable(connection.pgconn.socket, PATIENCE_S)
        while connection.pgconn.get_result() is not None:
            pass


def test_a_database_that_was_killed_recovers_with_what_was_committed(stack):
    address = stack.database_address()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    stack.desk.request("database", "down")
    until(lambda: not port_answers(stack.database_port))
    stack.desk.request("database", "none")
    until(lambda: postgres.is_ready(stack.database_port))
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM kept").fetchone() == (True,)


def test_one_fault_replaces_another_directly(stack):
    stack.desk.request("cache", "hang")
    stack.desk.request("cache", "down")
    until(lambda: not port_answers(stack.cache_port))
    stack.desk.request("cache", "hang")
    until(lambda: port_answers(stack.cache_port))
    until(lambda: not stack.cache_answers())


def test_fault_ends_by_itself_when_its_client_is_gone(stack):
    stack.desk.request("cache", "hang", seconds=1)
    assert stack.desk.report().ends_at["cache"] == pytest.approx(time.time() + 1, abs=BUSY_MACHINE)
    until(stack.cache_answers)
    until(lambda: stack.desk.report().active["cache"] == "none")
    assert stack.desk.report().ends_at == {}
    until(lambda: "fault cache=hang has lasted its time and is over" in (stack.var / "out").read_text())


def test_same_fault_again_begins_its_time_anew(stack):
    stack.desk.request("mail", "slow", seconds=1)
    stack.desk.request("mail", "slow", seconds=60)
    stack.desk.request("cache", "hang", seconds=1)
    until(lambda: stack.desk.report().active["cache"] == "none")
    assert stack.desk.report().active == {"cache": "none", "database": "none", "mail": "slow"}


def test_another_request_does_not_repeat_a_fault_that_ended(stack):
    stack.desk.request("cache", "hang", seconds=1)
    until(lambda: stack.desk.report().active["cache"] == "none")
    assert stack.desk.request("mail", "slow").active == {"cache": "none", "database": "none", "mail": "slow"}


def test_fault_is_active_within_half_a_second(stack):
    began = time.monotonic()
    stack.desk.request("cache", "hang")
    assert time.monotonic() - began < IN_FORCE_WITHIN_S * BUSY_MACHINE


@pytest.mark.parametrize("value", ["hang", "down"])
def test_stack_with_faults_stops_cleanly(tmp_path_factory, value):
    var = tmp_path_factory.mktemp("stops") / "var"
    var.parent.chmod(0o755)
    stack = Stack(var)
    try:
        for name in ("cache", "database"):
            stack.desk.request(name, value)
        stack.process.send_signal(signal.SIGTERM)
        assert stack.process.wait(PATIENCE_S) == 0
        assert "did not stop in time" not in (var / "out").read_text()
        assert stack.desk.report() == FaultReport()
    finally:
        stack.end()


def test_next_command_stops_a_hanging_leftover_server(tmp_path_factory):
    var = tmp_path_factory.mktemp("leftover") / "var"
    var.parent.chmod(0o755)
    stack = Stack(var)
    try:
        stack.desk.request("cache", "hang")
        left = stack.state.load().processes["cache"].identity
        stack.process.kill()
        stack.process.wait()
        began = time.monotonic()
        assert down.stop_stack(load_settings(var_dir=var), lambda line: None)
        assert not left.alive
        assert time.monotonic() - began < 10, "it was asked, and could obey"
        with pytest.raises(ServiceUnavailable, match="supervisor"):
            stack.desk.request("cache", "hang")
    finally:
        stack.end()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("cash", "down", "Did you mean cache?"),
        ("Postgres", "down", "Did you mean database?"),
        ("Redis", "down", "Did you mean cache?"),
        ("elevator", "down", "There are cache, database, broker, web, worker, edge, payments, mail."),
        ("cache", "hung", "Did you mean hang?"),
        ("payments", "slwo", "Did you mean slow?"),
        ("moon", "down", "no fault"),
        ("payments", "failing:0", "failing:PERCENT with 1 to 100"),
        ("payments", "failing:101", "failing:PERCENT with 1 to 100"),
        ("payments", "failing:", "failing:PERCENT with 1 to 100"),
        ("payments", "slow:50", "not 'slow:50'"),
        ("cache", "down:50", "not 'down:50'"),
    ],
)
def test_unknown_fault_is_refused_with_the_known_names(client, name, value, says):
    answer = client.put(f"/api/v1/faults/{name}", json={"value": value})
    assert answer.status_code == 422
    assert says in answer.json["detail"]


@pytest.mark.parametrize("seconds", [0, 3601, "soon"])
def test_time_of_a_fault_outside_its_limits_is_refused(client, seconds):
    answer = client.put("/api/v1/faults/cache", json={"value": "down", "for_s": seconds})
    assert answer.status_code == 422
    assert "for_s" in str(answer.json["errors"])


def test_usual_name_of_a_dependency_is_understood(client):
    answer = client.put("/api/v1/faults/postgres", json={"value": "down"})
    assert answer.json["detail"] == "The database is not a server of this stack, and only those can be broken."


def test_external_server_gets_no_fault(client, settings):
    answer = client.put("/api/v1/faults/cache", json={"value": "down"})
    assert answer.status_code == 409
    assert "not a server of this stack" in answer.json["detail"]
    settings.run_dir.mkdir(exist_ok=True)
    FaultChannel(settings.run_dir).publish_report(FaultReport(("database",), {"database": "none"}, ""))
    with pytest.raises(StateConflict):
        FaultChannel(settings.run_dir).request("cache", "down")
    offered = {item["name"]: item["offered"] for item in client.get("/api/v1/faults").json["items"]}
    assert offered == {
        "cache": False,
        "database": True,
        "broker": False,
        "web": False,
        "worker": False,
        "edge": False,
        "payments": False,
        "mail": False,
    }
    FaultChannel(settings.run_dir).close()


def test_active_fault_is_in_the_api_and_on_the_page(client, settings):
    settings.run_dir.mkdir(exist_ok=True)
    FaultChannel(settings.run_dir).publish_report(FaultReport(("cache",), {"cache": "hang"}, ""))
    page, items = client.get("/lab").text, client.get("/api/v1/faults").json["items"]
    FaultChannel(settings.run_dir).close()
    assert "<code>cache = hang</code>" in page
    assert "1 not at its default" in page
    assert items[0]["value"] == "hang"
    assert "not at its default" not in client.get("/lab").text


def test_command_sets_and_clears_a_fault(stack, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(stack.var))
    assert CliRunner().invoke(fault, ["set", "cache", "hang"]).exit_code == 0
    listed = json.loads(CliRunner().invoke(fault, ["list", "--json"]).output)["items"]
    assert {item["name"]: item["value"] for item in listed} == {
        "cache": "hang",
        "database": "none",
        "broker": "none",
        "web": "none",
        "worker": "none",
        "edge": "none",
        "payments": "none",
        "mail": "none",
    }
    assert CliRunner().invoke(fault, ["clear"]).exit_code == 0
    assert stack.cache.ping()


@pytest.mark.parametrize(
    "words",
    [
        ["cash", "hang"],
        ["payments", "failing:0"],
        ["payments", "failing:1.5"],
        ["cache", "hang", "--for", "0"],
        ["cache", "hang", "--for", "3601"],
        ["cache", "hang", "--for", "1.5"],
    ],
)
def test_wrong_words_are_wrong_usage(stack, monkeypatch, words):
    monkeypatch.setenv("SHOP_VAR_DIR", str(stack.var))
    assert CliRunner().invoke(fault, ["set", *words]).exit_code == 2
    assert stack.desk.report().active["cache"] == "none"


def test_command_names_the_time_and_understands_a_usual_name(stack, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(stack.var))
    done = CliRunner().invoke(fault, ["set", "valkey", "hang", "--for", "90"])
    assert done.output == "cache = hang for 90 s.\n"
    listed = json.loads(CliRunner().invoke(fault, ["list", "--json"]).output)["items"]
    (cache,) = (item for item in listed if item["name"] == "cache")
    assert 60 < cache["ends_in_s"] <= 90
    assert "ends in" in CliRunner().invoke(fault, ["list"]).output


def test_command_without_a_stack_is_refused(tmp_path):
    words = [sys.executable, "-m", "shop.cli", "fault", "set", "cache", "down"]
    done = subprocess.run(words, env={**os.environ, "SHOP_VAR_DIR": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "bin/shop up" in done.stderr


def test_unknown_fault_is_a_usage_error():
    with pytest.raises(InvalidFields):
        FaultChannel(load_settings().run_dir).request("moon", "down")


def _readable(socket_number, seconds):
    import select

    return bool(select.select([socket_number], [], [], seconds)[0])
