"""The lab against a real store: gunicorn, PostgreSQL and Valkey, over HTTP."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import closing

import pytest

from shop.clock import SystemClock
from shop.errors import ConfigurationError, ServiceUnavailable
from shop.lab import demo, load
from shop.lab.anomalies import ANOMALIES
from shop.lab.experiment import EXPERIMENTS, load_experiments, parse_experiment
from shop.lab.lab_lock import claim_lab
from shop.lab.load import LoadPhase, ShopperVisit
from shop.lab.metrics_client import MetricsClient, sum_counter
from shop.lab.result import build_result
from shop.lab.runner import ExperimentRunner
from shop.lab.saved_state import FILE_NAME, ExperimentInterrupted, restore_afterwards
from shop.lab.store_client import StoreClient
from shop.lab.unprotected_store import UNPROTECTED
from shop.patterns.observability.metric_names import HTTP_REQUESTS
from shop.stack import http_servers
from shop.stack.program import free_port
from shop.switches.store import SwitchStore
from tests.support.factories import make_category, make_product
from tests.support.load_thread import START_S, offer_load
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure, kill_with_children

pytestmark = pytest.mark.xdist_group("lab-store")  # one process, one store
START_TIMEOUT_S = 60
SWITCH = "cache.shared"
FLIP = """
import signal, sys
from pathlib import Path
from shop.lab.saved_state import restore_afterwards
from shop.lab.store_client import StoreClient
store = StoreClient(sys.argv[1])
with restore_afterwards(store, Path(sys.argv[2]), ["cache.shared"]):
    store.set_switch("cache.shared", "off")
    print("flipped", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def address(settings, tmp_path_factory):
    """The address of a store that runs in processes of its own."""
    home, port = tmp_path_factory.mktemp("store"), free_port()
    own = settings.model_copy(update={"port": port, "metrics_port": free_port(), "workers": 2, "var_dir": home})
    program = http_servers.web(own)
    with (home / "web.log").open("wb") as log:
        process = subprocess.Popen(program.argv, env={**os.environ, **program.env}, stdout=log, stderr=log)
    with ended_on_failure(process.kill):
        until(lambda: program.healthy() or process.poll() is not None, START_TIMEOUT_S)
        assert process.poll() is None, (home / "web.log").read_text()
    yield f"http://127.0.0.1:{port}"
    process.send_signal(program.stop_signal)
    process.wait(program.stop_timeout_s)


@pytest.fixture
def store(address, database, cache_client):
    """A client of that store, which sells a few products."""
    with database.transaction() as session:
        mugs = make_category(session)
        for number in range(5):
            make_product(session, mugs, popularity=number)
    store = StoreClient(address)
    yield store
    store.close()


@pytest.fixture
def stored(database):
    """Return a function that reads the stored switches from the database."""
    return SwitchStore(database, allow_unsafe=True).load


def start_experiment(store, folder):
    """Set a switch in a process that then waits for a signal."""
    command = [sys.executable, "-c", textwrap.dedent(FLIP), store.base_url, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "flipped\n", process.communicate()
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupted_experiment_restores_its_switches(store, stored, tmp_path, number):
    process = start_experiment(store, tmp_path / "lab")
    assert stored()[SWITCH] == "off"
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert stored()[SWITCH] == "on"
    assert ExperimentInterrupted.__name__ in errors
    assert not (tmp_path / "lab" / FILE_NAME).exists()


def test_the_next_experiment_restores_after_a_killed_one(store, stored, tmp_path):
    process = start_experiment(store, tmp_path / "lab")
    kill_with_children(process)
    assert stored()[SWITCH] == "off", "a killed process cannot restore it"
    reported = []
    with restore_afterwards(store, tmp_path / "lab", [SWITCH], reported.append) as before:
        assert before[SWITCH] == "on"
    assert stored()[SWITCH] == "on"
    assert "killed" in reported[0]


def test_the_guard_restores_after_a_killed_experiment(store, stored, tmp_path):
    process = start_experiment(store, tmp_path / "lab")
    process.kill()
    process.communicate(timeout=60)
    until(lambda: stored()[SWITCH] == "on", START_TIMEOUT_S)
    reported = []
    with restore_afterwards(store, tmp_path / "lab", [SWITCH], reported.append) as before:
        assert before[SWITCH] == "on"
    assert reported == [], "the guard has left nothing to restore"


def test_demo_flips_under_load_and_restores(store, stored, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "SETTLE_S", 0)
    monkeypatch.setattr(demo, "WARM_UP_S", 0)
    monkeypatch.setattr(demo, "MEASURE_S", 1)
    monkeypatch.setattr(demo, "TOTAL_S", 2)
    values = []
    off, on = demo.run_demo(store, tmp_path / "lab", lambda second, label: values.append(stored()[SWITCH]))
    assert values == ["off", "on"]
    assert off.seen.latencies_ms
    assert on.seen.latencies_ms
    assert stored()[SWITCH] == "on"
    assert not (tmp_path / "lab" / FILE_NAME).exists()


def test_ctrl_c_ends_a_visible_load(store, tmp_path):
    command = [sys.executable, "-m", "shop.cli", "lab", "load", "--url", store.base_url, "--rate", "20"]
    environment = {**os.environ, "SHOP_VAR_DIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(3)][-1]
    with pytest.raises(ConfigurationError, match=f"pid {process.pid}"), claim_lab(tmp_path / "lab"):
        pass
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=START_TIMEOUT_S)
    assert process.returncode == 0
    assert first.split()[0] == "1"
    assert rest.splitlines()[-1].split()[0] == "all"


def test_ctrl_c_ends_all_experiments_with_a_page_about_them(store, stored, tmp_path):
    command = [sys.executable, "-m", "shop.cli", "lab", "run", "all", "--quick", "--url", store.base_url]
    environment = {**os.environ, "SHOP_VAR_DIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    lines = list(itertools.takewhile(lambda line: not line.startswith("calibration: "), process.stderr))
    assert f"{len(load_experiments())} experiments, about" in lines[0]
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=START_TIMEOUT_S)
    assert process.returncode == 128 + signal.SIGINT
    assert f"{len(load_experiments())} not run." in printed
    assert "all switches have their earlier values" in errors
    assert stored()[SWITCH] == "on"
    (page,) = (tmp_path / "lab").glob("*-all.html")
    assert page.name in printed.replace("\n", "")


def test_all_experiments_do_not_begin_while_the_lab_is_held(store, tmp_path):
    command = [sys.executable, "-m", "shop.cli", "lab", "run", "all", "--quick", "--url", store.base_url]
    with claim_lab(tmp_path / "lab"):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "SHOP_VAR_DIR": str(tmp_path)}
        )
    assert done.returncode == 2
    assert f"Another check or experiment is running (pid {os.getpid()}" in done.stderr


def test_a_failing_experiment_restores_its_switches(store, stored, tmp_path):
    with pytest.raises(ConfigurationError), restore_afterwards(store, tmp_path / "lab", [SWITCH]):
        flip_and_fail(store)
    assert stored()[SWITCH] == "on"


def test_a_second_experiment_is_refused_while_one_runs(store, tmp_path):
    process = start_experiment(store, tmp_path / "lab")
    with (
        pytest.raises(ConfigurationError, match=f"pid {process.pid}"),
        restore_afterwards(store, tmp_path / "lab", [SWITCH]),
    ):
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def test_an_unknown_switch_is_refused_before_any_change(store, tmp_path):
    refused = pytest.raises(ConfigurationError, match=r"no switch cache\.moon")
    with refused, restore_afterwards(store, tmp_path / "lab", ["cache.moon"]):
        pass
    assert not (tmp_path / "lab" / FILE_NAME).exists()


@pytest.mark.slow
def test_cache_aside_is_measured_on_a_real_store(store, stored, tmp_path):
    text = (EXPERIMENTS / "cache-aside.toml").read_text().replace("[phases]", "[phases]\nsettle_s = 1.2")
    text = text.replace("warm_up_s = 2.0", "warm_up_s = 1.0\nwarm_up_limit_s = 3.0").replace(
        "share = 0.5", "share = 0.5, duration_s = 1.0"
    )
    text = text.replace("products = 1000", "products = 1")  # so that one visit warms the whole cache
    quick = parse_experiment(text, "quick").with_duration(1.0, 1)
    quick = quick.with_changes(steady_state=quick.steady_state.with_changes(duration_s=0.5))
    with restore_afterwards(store, tmp_path / "lab", quick.switch_names()) as before:
        record = ExperimentRunner(quick, store, Watcher(), offer_load, START_S).run()
    result = build_result(quick, record, SystemClock().now(), before)
    off, on, classic = result["arms"]
    assert off["db_queries_per_request"] > on["db_queries_per_request"] == 0
    assert off["hit_rate"]["shared"] in (None, 0)
    assert on["hit_rate"]["shared"] == classic["hit_rate"]["shared"] == 1
    assert off["error_rate"] == on["error_rate"] == 0
    assert stored()[SWITCH] == "on"


def quick(text, **workload):
    """A short cache-aside: rounds of warm-up and phases of a fraction of a second."""
    experiment = parse_experiment(text, "quick").with_duration(0.6, 1)
    return experiment.with_changes(
        steady_state=experiment.steady_state.with_changes(duration_s=0.3),
        phases=experiment.phases.with_changes(warm_up_s=0.3),
        workload=experiment.workload.with_changes(calibrate=None, rate=20.0, **workload),
    )


def test_an_arm_is_measured_unprotected_unless_it_names_the_switches(store, stored, tmp_path):
    experiment = quick((EXPERIMENTS / "cache-aside.toml").read_text())
    arm = experiment.arm("on")
    with restore_afterwards(store, tmp_path / "lab", experiment.switch_names()):
        runner = ExperimentRunner(experiment, store, Watcher(), offer_load, START_S)
        runner.flip("", arm, {})
        assert UNPROTECTED.items() <= stored().items()
        runner.flip("", arm.with_changes(switches={**arm.switches, "overload.queue": "codel"}), {})
        assert {"overload.shedding": "off", "overload.queue": "codel"}.items() <= stored().items()
    assert stored()["overload.shedding"] == "gradient"


def test_warm_up_repeats_until_the_hit_rate_is_stable(store, cache_client, tmp_path):
    experiment = quick((EXPERIMENTS / "cache-aside.toml").read_text())
    # Within a longer round, a fast machine fills the cache before the first half ends.
    experiment = experiment.with_changes(phases=experiment.phases.with_changes(warm_up_s=0.05))
    phases = []

    class RecordingWatcher(Watcher):
        def phase(self, text):
            phases.append(text)

    with restore_afterwards(store, tmp_path / "lab", experiment.switch_names()):
        runner = ExperimentRunner(experiment, store, RecordingWatcher(), offer_load, START_S)
        observation = runner.measure_arm(experiment.arm("on"), 20.0)
    assert sum("warm-up" in phase for phase in phases) > 1, "the first round began with an empty cache"
    assert observation.unsettled is None
    assert observation.open_loop.answer_counts == {"shared": len(observation.open_loop.answered_by)}
    assert set(observation.anomalies) <= set(ANOMALIES), "a busy machine may cause any of them"


def test_the_generator_counts_queries_hits_and_errors(store):
    missing = ShopperVisit(name="missing", paths=("/api/v1/products/nothing-like-it",))
    screen = ShopperVisit(name="screen", paths=("/api/v1/screens/product/{product}",), then=("/livez",))
    products = store.products(3)
    phase = LoadPhase(base_url=store.base_url, mode="open", rate=40, duration_s=0.5, concurrency=4, visits=(screen,))
    samples = load.run_phase(phase.model_copy(update={"products": products}))
    assert samples.calls == 2 * samples.offered == 2 * len(samples.latencies_ms)
    assert 0 < samples.queries <= 8 * len(products)
    hits, lookups = samples.lookups["local"]
    assert 0 < hits < lookups
    assert all(samples.succeeded)
    failed = load.run_phase(phase.model_copy(update={"visits": (missing,)}))
    assert set(failed.errors) == {"404"}
    assert not any(failed.succeeded)


def test_hovered_links_are_sent_as_prefetches_of_different_products(store):
    visit = ShopperVisit(name="ahead", paths=("/livez",), hovered=3)
    products = store.products(3)
    phase = LoadPhase(base_url=store.base_url, mode="open", rate=20, duration_s=0.5, concurrency=4, visits=(visit,))

    def count(client, purpose):
        return sum_counter(client.scrape(), HTTP_REQUESTS, ("purpose", purpose))

    with closing(MetricsClient(store)) as client:
        before = count(client, "prefetch")
        samples = load.run_phase(phase.model_copy(update={"products": products, "exponent": 3.0}))
        assert samples.calls == 4 * samples.offered
        assert all(samples.succeeded)
        assert count(client, "prefetch") - before == 3 * samples.offered
    assert samples.lookups["local"][1] == 3 * samples.offered
    few = load.run_phase(phase.model_copy(update={"products": products[:2]}))
    assert few.calls == 3 * few.offered, "there are but two products"


def test_one_generator_offers_several_phases(store):
    screen = ShopperVisit(name="screen", paths=("/livez",))
    phase = LoadPhase(base_url=store.base_url, mode="open", rate=40, duration_s=0.1, concurrency=4, visits=(screen,))
    ticks = []
    with load.GeneratorProcess() as generator:
        first = generator.run_phase(phase, lambda: ticks.append(1))
        second = generator.run_phase(phase.model_copy(update={"duration_s": 0.2}), lambda: ticks.append(1))
        assert all(first.succeeded)
        assert all(second.succeeded)
        assert second.calls == second.offered, "each phase has its own samples"
        assert ticks
        with pytest.raises(ServiceUnavailable, match="The load generator failed"):
            generator.run_phase(phase.model_copy(update={"base_url": "http://192.0.2.1"}))


def test_a_stopped_store_is_a_missing_prerequisite(tmp_path):
    command = [
        sys.executable,
        "-m",
        "shop.cli",
        "lab",
        "run",
        "cache-aside",
        "--url",
        f"http://127.0.0.1:{free_port()}",
    ]
    environment = {**os.environ, "SHOP_VAR_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "bin/shop up" in done.stderr
    assert done.stdout == ""


def test_a_phase_without_a_server_counts_only_errors():
    phase = LoadPhase(
        base_url=f"http://127.0.0.1:{free_port()}",
        mode="open",
        rate=50,
        duration_s=0.2,
        concurrency=4,
        visits=(ShopperVisit(name="x", paths=("/",)),),
    )
    samples = load.run_phase(phase)
    assert samples.errors == {"ConnectionRefusedError": samples.offered}
    assert not any(samples.succeeded)


def test_a_phase_with_thousands_of_products_reaches_the_generator():
    url = f"http://127.0.0.1:{free_port()}"
    products = tuple(f"a-product-with-a-name-of-some-length-{number}" for number in range(5000))
    visits = (ShopperVisit(name="x", paths=("/{product}",)),)
    phase = LoadPhase(base_url=url, mode="open", duration_s=0.1, concurrency=1, visits=visits, products=products)
    assert not any(load.run_phase(phase).succeeded)


def test_a_failed_generator_raises_service_unavailable():
    phase = LoadPhase(
        base_url="http://192.0.2.1",
        mode="open",
        duration_s=0.2,
        concurrency=1,
        visits=(ShopperVisit(name="x", paths=("/",)),),
    )
    with pytest.raises(ServiceUnavailable, match="another machine"):
        load.run_phase(phase)


def flip_and_fail(store):
    """Set a switch, then send a request that the store refuses."""
    store.set_switch(SWITCH, "off")
    store.set_switch(SWITCH, "sideways")


class Watcher:
    """A watcher that shows no progress."""

    def phase(self, text):
        """Show nothing."""

    def advance(self, seconds):
        """Show nothing."""
