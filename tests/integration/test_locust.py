"""Locust's visitors against a real store: their statistics agree with the store."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from contextlib import contextmanager

import httpx
import psutil
import pytest
from sqlalchemy import text

from loadtests.recording.request_log import read_requests
from shop.settings import PROJECT_ROOT
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import free_port
from shop.stack.state import StackState, StateFile
from shop.switches.store import SwitchStore
from tests.support.factories import make_category, make_product
from tests.support.polling import until
from tests.support.web_server import WebServer

pytestmark = pytest.mark.xdist_group("locust")  # one process, one store
LOADTESTS = PROJECT_ROOT / "loadtests"
CHECKOUT = ("POST", "/api/v1/checkout")
WAITING = text("SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND NOT granted")


@pytest.fixture(scope="module")
def server(settings, tmp_path_factory):
    """The store in processes of its own."""
    server = WebServer(settings, tmp_path_factory.mktemp("store"))
    server.wait()
    yield server
    server.stop()


@pytest.fixture
def store(server, database, cache_client, simulator):
    """The address of that store, with a few products and a payments provider."""
    with database.transaction() as session:
        mugs = make_category(session)
        for number in range(5):
            make_product(session, mugs, popularity=number, on_hand=1000)
    return server.url


@pytest.fixture
def locust(tmp_path):
    """Return a function that starts Locust as a user without a running stack; stop its processes after the test."""
    started = []

    def start(*words, file="locustfile.py", headless=True, **environ):
        command = [sys.executable, "-m", "locust", "-f", LOADTESTS / file, *["--headless"][: int(headless)], *words]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "SHOP_VAR_DIR": str(tmp_path), **environ},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def final_statistics(process):
    """Return Locust's final statistics: the number of requests and of failures by method and name."""
    output, errors = process.communicate(timeout=60)
    assert output, errors
    return {
        (entry["method"], entry["name"]): (entry["num_requests"], entry["num_failures"]) for entry in json.loads(output)
    }


@pytest.mark.parametrize(
    ("answered", "failures"),
    [
        pytest.param(True, 0, id="answered", marks=pytest.mark.long),  # the other fails without the report, too
        pytest.param(False, 1, id="never answered"),
    ],
)
def test_a_checkout_running_at_the_end_is_reported(locust, store, database, answered, failures):
    words = ["Buyer", "--users", "1", "--think", "0", "--host", store, "--json"]
    with database.transaction() as session:
        session.execute(text("LOCK TABLE orders IN EXCLUSIVE MODE"))
        process = locust(*words, *([] if answered else ["--stop-timeout", "1"]))
        until(lambda: session.execute(WAITING).scalar_one(), timeout_s=30)
        process.terminate()
        until(lambda: "Shutting down" in process.stderr.readline())
        counts = None if answered else final_statistics(process)
    counts = counts or final_statistics(process)
    assert counts[CHECKOUT] == (1, failures)
    assert ("GET", "/p/[product]") in counts
    if answered:
        with database.transaction() as session:
            assert session.execute(text("SELECT status FROM orders")).scalars().all() == ["paid"]


@pytest.mark.long  # the checkout that runs at the end is the harder case
def test_thinking_visitors_do_not_delay_the_end_of_a_run(locust, store):
    process = locust("Browser", "--users", "3", "--spawn-rate", "3", "--think", "3600", "--host", store, "--json")
    until(lambda: "All users spawned" in process.stderr.readline())
    process.terminate()
    assert all(failures == 0 for _, failures in final_statistics(process).values())


@pytest.mark.long  # test_the_locust_page_is_local_and_reports_a_missing_store has the same refusal
def test_a_run_without_a_local_store_ends_at_once(locust):
    refused = {
        locust("--host", "http://192.0.2.1", file="open_loop.py"): "another machine",
        locust("--host", f"http://127.0.0.1:{free_port()}"): "bin/shop up",
        locust(): "No store runs",
    }
    for process, reason in refused.items():
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2, errors
        assert reason in errors


def listening_addresses(process):
    """Return the addresses on which a process listens."""
    connections = psutil.Process(process.pid).net_connections("tcp")
    return [tuple(connection.laddr) for connection in connections if connection.status == psutil.CONN_LISTEN]


def test_the_locust_page_is_local_and_reports_a_missing_store(locust):
    port, host = free_port(), f"http://127.0.0.1:{free_port()}"
    process = locust("--host", host, "--web-port", str(port), headless=False)

    assert until(lambda: listening_addresses(process), timeout_s=30) == [("127.0.0.1", port)]
    form = {"user_count": 1, "spawn_rate": 1, "host": host}
    assert httpx.post(f"http://127.0.0.1:{port}/swarm", data=form).status_code == 200
    figures = f"http://127.0.0.1:{port}/stats/requests"
    until(lambda: httpx.get(figures).json()["state"] == "stopped")
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert "did not answer" in errors
    assert process.returncode == 2


@pytest.mark.long  # the same locustfile as in one process, where each of its figures has a test
def test_a_master_and_a_worker_share_one_run(locust, store, tmp_path):
    (tmp_path / "run").mkdir()
    running = StackState(phase="ready", supervisor=ProcessIdentity.of(os.getpid()), web_url=store)
    StateFile(tmp_path / "run").save(running)
    link, empty_home = str(free_port()), str(tmp_path / "elsewhere")  # no store runs there; the master names the store
    words = ["--expect-workers", "1", "--users", "2", "--spawn-rate", "2", "--run-time", "4", "--think", "0"]
    words += ["--record", str(tmp_path / "requests.jsonl")]
    master = locust("Browser", "--master", "--master-bind-port", link, *words, "--json")
    assert until(lambda: listening_addresses(master), timeout_s=30) == [("127.0.0.1", int(link))]
    worker = locust("Browser", "--worker", "--master-port", link, SHOP_VAR_DIR=empty_home)
    counts = final_statistics(master)
    assert counts["GET", "/"][0] > 0
    assert not any(failures for _, failures in counts.values())
    assert worker.wait(30) == 0
    recorded = Counter(request.name for request in read_requests(tmp_path / "requests.jsonl"))
    assert recorded == {f"{method} {route}": requests for (method, route), (requests, _) in counts.items()}


def start_script(name, *words, home):
    """Start a script of loadtests/ as a user without a running stack."""
    command = [sys.executable, LOADTESTS / name, *words]
    environment = {**os.environ, "SHOP_VAR_DIR": str(home)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


FLIP = ("flip_and_compare.py", "cache.shared", "off", "on", "--users", "4", "--visitors", "Browser", "--think", "0")
QUICK = ("--seconds", "0.5", "--rounds", "1", "--settle", "0")


@pytest.fixture
def switches(database):
    """Return a function that reads the stored switches."""
    return SwitchStore(database, allow_unsafe=True).load


def test_one_command_flips_a_switch_under_load_and_restores(store, switches, tmp_path):
    before = switches()
    process = start_script(*FLIP, *QUICK, "--url", store, "--json", home=tmp_path)
    flipped = dict.fromkeys(("cache.edge", "cache.local", "cache.shared"), "off").items()
    until(lambda: flipped <= switches().items(), timeout_s=30)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    document = json.loads(output)
    for value in ("off", "on"):
        assert document["arms"][value]["requests/s"] > 0
        assert document["arms"][value]["p50 ms"] > 0
    assert document["failures"] == {}
    assert {name: switches()[name] for name in before} == before


@pytest.mark.long
def test_ctrl_c_ends_the_visitors_and_restores_the_switch(store, switches, tmp_path):
    process = start_script(*FLIP, "--settle", "60", "--url", store, home=tmp_path)
    locust = until(lambda: find_child(process, "locust"), timeout_s=30)
    until(lambda: switches().get("cache.shared") == "off")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, errors
    assert switches()["cache.shared"] == "on"
    assert not locust.is_running()


def find_child(process, word):
    """Return the child of a process whose command line has a word; ``None`` if there is none."""
    children = psutil.Process(process.pid).children()
    return next((child for child in children if word in child.cmdline()), None)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("cache.shared", "off", "on"), "No store runs"),
        (("cache.sharde", "off", "on"), "cache.shared"),
        (("cache.shared", "on", "on"), "two different values"),
    ],
)
def test_flip_and_compare_refuses_what_it_cannot_measure(words, reason, tmp_path):
    process = start_script("flip_and_compare.py", *words, home=tmp_path)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, reason in errors) == (2, True), errors


@pytest.fixture(scope="module")
def misleading(tmp_path_factory):
    """Locust's figure and the true one, by way and label."""
    process = start_script("misleading.py", "--json", home=tmp_path_factory.mktemp("none"))
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return {
        name: {one["label"]: (one["locust"], one["actual"]) for one in way["figures"]}
        for name, way in json.loads(output).items()
    }


@pytest.mark.long
def test_repeated_drops_are_hidden_by_the_client_of_locust_only(misleading):
    drops = misleading["drops"]
    assert drops["Locust's client, half dropped: requests"] == (100, 200)
    assert drops["Locust's client, half dropped: failures"] == (0, 100)
    requests, read = drops["Locust's client, all dropped: requests"]
    assert read > 2 * requests
    assert drops["the client of loadtests/, half dropped: requests"] == (100, 100)
    assert drops["the client of loadtests/, half dropped: failures"] == (50, 50)


@pytest.mark.long
def test_lost_ends_hide_a_hung_server(misleading):
    ends = misleading["ends"]
    counted, read = ends["Locust's defaults: requests"]
    assert read == counted + 20
    assert ends["Locust's defaults: never answered"] == (0, 20)
    reported, actual = ends["Locust's defaults: answers a second"]
    assert reported > 2 * actual
    assert len(set(ends["loadtests/: requests"])) == 1
    assert ends["loadtests/: never answered"] == (20, 20)


@pytest.mark.long
def test_rounding_hides_one_change_and_multiplies_another(misleading):
    rounding = misleading["rounding"]
    multiplied, small = rounding["from 1,015 to 1,055 ms: change"]
    hidden, large = rounding["from 1,055 to 1,125 ms: change"]
    assert multiplied > 1.5 * small > 0
    assert hidden == 0
    assert large > 3


@pytest.mark.long
def test_closed_loop_hides_a_stall(misleading):
    closed_loop = misleading["closed-loop"]
    waited, should_have = closed_loop["requests of more than 100 ms"]
    assert should_have > 3 * waited
    closed, opened = closed_loop["p95"]
    assert opened > 3 * closed


@pytest.fixture
def visitors(store):
    """Return a function that runs a script with Locust's users and returns its statistics by method and name."""

    def run(script):
        words = [sys.executable, "-c", textwrap.dedent(VISIT).replace("SCRIPT", script), store]
        script = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(LOADTESTS)})
        assert script.returncode == 0, script.stderr
        return {(method, name): entry for method, name, *entry in json.loads(script.stdout)}

    return run


VISIT = """
import json, sys, time
from locust.env import Environment
import users
users.Assortment.fetch(sys.argv[1], 1.0)
environment = Environment(host=sys.argv[1])
environment.create_local_runner()
users.Person.host = users.OpenLoop.host = sys.argv[1]
SCRIPT
entries = environment.stats.entries.values()
print(json.dumps([[e.method, e.name, e.num_requests, e.num_failures, e.min_response_time] for e in entries]))
"""


def test_locust_open_loop_latency_counts_from_the_due_time(visitors):
    statistics = visitors("users.OpenLoop(environment).fetch_screen(time.perf_counter() - 5)")
    ((requests, failures, quickest_ms),) = statistics.values()
    assert (requests, failures) == (1, 0)
    assert quickest_ms > 5000


@contextmanager
def dropping_server():
    """Run a server that reads each request and drops the connection; yield its address and the list of requests."""
    requests = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                requests.append(connection.recv(4096).split(b" HTTP")[0].decode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        listener.shutdown(socket.SHUT_RDWR)


def test_a_dropped_request_is_sent_once_and_fails_once(visitors):
    with dropping_server() as (address, requests):
        statistics = visitors(f"""
users.Person.host = users.OpenLoop.host = "{address}"
users.Browser(environment).client.get("/browser")
users.OpenLoop(environment).client.get("/open-loop")
""")
    assert requests == ["GET /browser", "GET /open-loop"]
    assert [entry[:2] for entry in statistics.values()] == [[1, 1], [1, 1]]


ARGUMENTS = (
    "from locust.argument_parser import get_parser; import locust_setup; locust_setup.prepare(); "
    "print(get_parser().parse_args([]).exponent)"
)


def test_visitors_have_the_demand_of_real_shoppers():
    command = [sys.executable, "-c", ARGUMENTS]
    parsed = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(LOADTESTS)})
    assert parsed.stdout == "0.65\n", parsed.stderr
