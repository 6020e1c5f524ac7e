"""The health checks tell an unsuitable cache or broker from one that is down."""

import json
import os
import subprocess
import sys

import pytest
import redis
from click.testing import CliRunner
from gunicorn.errors import AppImportError

from shop import app, edge_purger, queue_wiring, worker
from shop.app import create_app
from shop.cli.queue import queue
from shop.errors import ConfigurationError
from shop.patterns.health import start
from shop.patterns.health.readiness import PartialService
from shop.settings import load_settings
from shop.stack import external_servers, valkey
from shop.stack.program import free_port
from shop.wiring import build
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure

pytestmark = pytest.mark.xdist_group("unfit-servers")  # one process, one server of each kind


class OwnValkey:
    """A server of this module's own, whose configuration a test may change."""

    def __init__(self, home, **more):
        self.port, self.home = free_port(), home
        program = valkey.broker(home, self.port)
        words = [word for name, value in more.items() for word in (f"--{name.replace('_', '-')}", value)]
        self._process = subprocess.Popen([*program.argv, *words], stdout=subprocess.DEVNULL)
        self.url = valkey.url(home, self.port)
        self.client = redis.Redis.from_url(self.url)
        with ended_on_failure(self.close):
            until(program.healthy)

    def close(self):
        self.client.close()
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster node with every slot: it answers like a single server, and refuses commands with two keys."""
    node = OwnValkey(tmp_path_factory.mktemp("cluster"), cluster_enabled="yes")
    node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    until(lambda: b"cluster_state:ok" in node.client.execute_command("CLUSTER", "INFO"))
    yield node
    node.close()


@pytest.fixture(scope="module")
def _server(tmp_path_factory):
    server = OwnValkey(tmp_path_factory.mktemp("single"))
    yield server
    server.close()


@pytest.fixture
def server(_server):
    """A single server, restored after each test."""
    yield _server
    _server.client.config_set("maxmemory", 0)
    _server.client.replicaof("NO", "ONE")
    _server.client.execute_command("ACL", "DELUSER", "clerk")


def as_user(server, user, password):
    return f"redis://{user}:{password}@127.0.0.1:{server.port}/0"


def full(server):
    server.client.config_set("maxmemory", 1)
    return server.url


def replica(server):
    server.client.replicaof("127.0.0.1", "1")
    return server.url


def clerk(server):
    server.client.execute_command("ACL", "SETUSER", "clerk", "on", ">word", "~*", "+@all", "-publish")
    return as_user(server, "clerk", "word")


FAULTS = {
    "full": (full, "its memory is full", "maxmemory"),
    "replica": (replica, "is a replica", "name its primary"),
    "may not publish": (clerk, "does not let its user", "permit it"),
    "wrong password": (lambda server: as_user(server, "", "hush"), "refuses the user or the password", "correct"),
    "unknown user": (lambda server: as_user(server, "nobody", "hush"), "refuses the user or the password", "correct"),
    "no password": (lambda server: f"redis://127.0.0.1:{server.port}/0", "wants a password", "redis://:PASSWORD@"),
    "no such database": (lambda server: f"{server.url}99", "has no database", "/0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_unsuitable_server_is_refused_with_advice(server, fault):
    spoil, says, remedy = FAULTS[fault]
    address = spoil(server)
    for name in ("cache_url", "broker_url"):
        with pytest.raises(ConfigurationError) as refused:
            external_servers.check(load_settings(**{name: address}), name)
        said = str(refused.value)
        assert (said.startswith(f"{name.upper()}="), says in said, remedy in said) == (True, True, True), said
        assert not any(word in said for word in ("start that server", "hush", "word@", "\n"))


@pytest.mark.parametrize("fault", FAULTS)
def test_readiness_reports_a_server_that_fails_its_trial(settings, database, server, fault):
    spoil, says, _ = FAULTS[fault]
    address = spoil(server)
    runtime = build(settings.model_copy(update={"cache_url": address, "broker_url": address}))
    try:
        answer = create_app(runtime).test_client().get("/readyz")
    finally:
        runtime.close()
    assert answer.status_code == 200  # the store serves without either
    found = answer.json["dependencies"]
    for name in ("cache", "broker"):
        state = "refuses writes" if fault in ("full", "replica") else "away"
        assert (found[name]["state"], says in found[name]["detail"]) == (state, True), found


@pytest.mark.parametrize("fault", ["full", "replica"])
def test_readiness_worker_and_command_report_full_broker(settings, database, server, fault, monkeypatch):
    address = FAULTS[fault][0](server)
    spoiled = settings.model_copy(update={"broker_url": address})
    runtime = build(spoiled)
    try:
        answer = create_app(runtime).test_client().get("/readyz")
        assert answer.json["dependencies"]["broker"]["state"] == "refuses writes"
        transport = queue_wiring.message_broker(spoiled)
        loops = {loop.name: loop for loop in worker.background_loops(runtime, queue_wiring.relay(runtime, transport))}
        with pytest.raises(PartialService):
            loops["broker"].run_once()  # while there is nothing to hand on
        transport.stop(1)
    finally:
        runtime.close()
    for name, value in spoiled.as_environment().items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(queue, ["status", "--json"])
    assert told.exit_code == 1
    found = json.loads(told.output)
    assert (found["broker"], found["detail"]) == ("refuses writes", f"refuses writes: it{says(fault)}")


def says(fault):
    return "s memory is full" if fault == "full" else " is a replica"


def test_server_user_without_inspection_rights_is_accepted(server):
    server.client.execute_command("ACL", "SETUSER", "clerk", "on", ">word", "~*", "&*", "+@all", "-info")
    external_servers.check(load_settings(cache_url=as_user(server, "clerk", "word")), "cache_url")


def test_cache_without_eviction_is_warned_of_at_start(server, caplog):
    settings = load_settings(cache_url=server.url)
    server.client.config_set("maxmemory", "64mb")
    start.require_usable(settings, "cache_url")
    assert [record.message for record in caplog.records] == ["cache_unfit"]
    assert "allkeys-lfu" in external_servers.eviction_warning(settings)
    server.client.config_set("maxmemory-policy", "allkeys-lfu")
    start.require_usable(settings, "cache_url")
    said = external_servers.eviction_warning(settings)
    server.client.config_set("maxmemory-policy", "noeviction")
    assert (len(caplog.records), said) == (1, "")


@pytest.mark.parametrize("name", ["cache_url", "broker_url"])
def test_a_cluster_is_refused_before_anything_starts(cluster, name):
    with pytest.raises(ConfigurationError) as refused:
        external_servers.check(load_settings(**{name: cluster.url}), name)
    assert str(refused.value).startswith(
        f"{name.upper()}=redis://:***@127.0.0.1:{cluster.port}/0 is a node of a cluster"
    )


def test_cluster_as_broker_ends_process_with_one_line(settings, cluster):
    environment = {**os.environ, **settings.as_environment(), "BROKER_URL": cluster.url}
    argv = (sys.executable, "-m", "shop.worker", "--port", "1")
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("shop: BROKER_URL=redis://:***@")
    assert done.stderr.count("\n") == 1


def would_have_served(*given, **named):
    raise AssertionError("nothing kept it from serving")


@pytest.mark.parametrize("program", ["web", "worker", "edge"])
def test_no_process_serves_with_a_cluster_as_its_cache(settings, cluster, monkeypatch, capsys, program):
    module, serve = {"web": (app, "build"), "worker": (worker, "_run"), "edge": (edge_purger, "run")}[program]
    for name, value in settings.model_copy(update={"cache_url": cluster.url}).as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "configure_logging", lambda *given: None)
    monkeypatch.setattr(module, serve, would_have_served)
    monkeypatch.setattr(sys, "argv", [program, "--port", "1"])
    with pytest.raises((SystemExit, AppImportError)) as ended:
        (app.from_environment if program == "web" else module.main)()
    assert program == "web" or ended.value.code == 2  # of which gunicorn has codes of its own
    assert "CACHE_URL=redis://:***@" in capsys.readouterr().err + str(ended.value)


def test_an_own_server_that_refuses_writes_is_unhealthy(server):
    word = valkey.server_password(server.home)
    assert valkey.accepts_writes(server.port, word)
    full(server)
    assert valkey.is_ready(server.port, word)
    assert not valkey.accepts_writes(server.port, word)


def test_an_own_server_without_password_is_unhealthy(server):
    word = valkey.server_password(server.home)
    server.client.config_set("requirepass", "")
    let_in = valkey.is_ready(server.port, word)
    server.client.config_set("requirepass", word)
    assert (let_in, valkey.is_ready(server.port, word)) == (False, True)
