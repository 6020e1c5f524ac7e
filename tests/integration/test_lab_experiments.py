"""Experiments on the whole stack of the group ``live-answers``: faults, parameters and data are restored after each."""

import json
import re
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from datetime import UTC, datetime

import httpx
import psutil
import pytest

from shop.cli.lab_measure import with_processes
from shop.cli.lab_progress import SilentWatcher
from shop.errors import ConfigurationError, ServiceUnavailable
from shop.faults import FaultChannel
from shop.lab import experiment as experiments
from shop.lab.arms import PhaseLengths, ScheduledAction
from shop.lab.broken_books import record_new_mismatches
from shop.lab.drivers.auditor import audit_mismatches
from shop.lab.figures import compute_figures
from shop.lab.guest_client import GuestClient
from shop.lab.runner import ExperimentRunner
from shop.lab.saved_state import FILE_NAME, restore_afterwards
from shop.lab.store_client import StoreClient
from shop.patterns.caching.entry import CATALOGUE
from shop.switches.parameters import CACHE_MEMORY, TTL_SCALE, WEB_PROCESSES
from tests.support.load_thread import START_S, offer_load
from tests.support.polling import until
from tests.support.process_cleanup import kill_with_children

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("live-answers")]
PATIENCE_S = 60
WORKERS = 2
IN_FORCE_S = 0.5
"""When every process of this stack applies a change of a switch or a parameter."""
CHANGE = """
import signal, sys
from pathlib import Path
from shop.lab.saved_state import restore_afterwards
from shop.lab.store_client import StoreClient
store = StoreClient(sys.argv[1])
keep = {"parameters": ["lab.ttl_scale", "lab.cache_memory_mb"], "faults": ["cache", "database"], "edits_price": True}
with restore_afterwards(store, Path(sys.argv[2]), ["cache.shared"], **keep):
    store.set_switch("cache.shared", "off")
    store.set_parameter("lab.ttl_scale", 0.01)
    store.set_parameter("lab.cache_memory_mb", 3)
    store.update_product(store.product_to_edit(), price={"amount": 1})
    store.set_fault("database", "down")
    store.set_fault("cache", "hang")
    print("changed", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def stack(live_stack):
    return live_stack


@pytest.fixture
def store(stack):
    store = StoreClient(f"http://127.0.0.1:{stack.port}")
    yield store
    store.close()


def parameters_of(store):
    time.sleep(IN_FORCE_S)  # then every process gives the same answer
    return store.parameters()


def state_of(store):
    slug = store.product_to_edit()
    return parameters_of(store), store.switches(), store.faults(), slug, store.price(slug)


def active_faults(store):
    return {name: value for name, value in store.faults().items() if value != "none"}


def start_changing_experiment(store, folder):
    command = [sys.executable, "-c", textwrap.dedent(CHANGE), store.base_url, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "changed\n", process.communicate()
    return process


def test_an_interrupted_experiment_clears_faults_and_restores_everything(store, tmp_path):
    before = state_of(store)
    process = start_changing_experiment(store, tmp_path)
    assert active_faults(store) == {"cache": "hang", "database": "down"}
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert state_of(store) == before
    assert not (tmp_path / FILE_NAME).exists()


def test_the_next_experiment_clears_the_faults_of_a_killed_one(store, tmp_path):
    before = state_of(store)
    process = start_changing_experiment(store, tmp_path)
    kill_with_children(process)
    assert active_faults(store) == {"cache": "hang", "database": "down"}, "a killed process cannot clear them"
    with restore_afterwards(store, tmp_path, ["cache.shared"]):
        assert state_of(store) == before


def test_an_experiment_does_not_start_with_an_active_fault(store, tmp_path):
    store.set_fault("cache", "hang")
    try:
        with (
            pytest.raises(ConfigurationError, match="bin/shop fault clear"),
            restore_afterwards(store, tmp_path, [], faults=["cache"]),
        ):
            pass
    finally:
        store.clear_faults()


def test_the_status_names_a_fault_beside_its_server(stack, store):
    store.set_fault("cache", "down")
    try:
        faults = {process["name"]: process["fault"] for process in stack.status()["processes"]}
        assert {name: fault for name, fault in faults.items() if fault} == {"cache": "down"}
    finally:
        store.clear_faults()


def test_an_experiment_slows_the_provider_and_clears_the_fault(stack, store, tmp_path):
    def latency_ms():
        url = stack.state().load().urls["payments_url"]
        headers = {"Authorization": f"Bearer {(stack.var / 'payments_api_key').read_text()}"}
        return httpx.get(f"{url}/admin/settings", headers=headers).json()["latency_ms"]

    with restore_afterwards(store, tmp_path, [], faults=["payments"]):
        store.set_fault("payments", "slow")
        assert latency_ms() > 0
        assert {process.name: process.fault for process in stack.look().processes}["payments"] == "slow"
    assert latency_ms() == 0


def test_the_guest_client_pays_the_current_price(store):
    slug = store.product_to_edit()
    with GuestClient(store.base_url) as shopper:
        assert shopper.buy_and_cancel(slug) == store.price(slug)


def web_processes(stack):
    web = stack.state().load().processes["web"]
    return {child.pid for child in psutil.Process(web.identity.pid).children()}


def count_replaced(stack, before):
    until(lambda: web_processes(stack) - before and len(web_processes(stack)) == len(before))
    return len(before - web_processes(stack))


def test_experiment_starts_and_ends_the_web_processes_it_needs(stack, store, tmp_path):
    needy = experiments.load_experiment("cache-aside").with_changes(workers=WORKERS + 1)
    needy = with_processes(needy, store)
    with restore_afterwards(store, tmp_path, needy.switch_names(), parameters=needy.parameter_names()):
        for name, value in needy.parameters.items():
            store.set_parameter(name, value)
        assert len(web_processes(stack)) == store.workers() == WORKERS + 1
    until(lambda: len(web_processes(stack)) == WORKERS)
    assert with_processes(needy, store).parameters == {WEB_PROCESSES: WORKERS + 1}


def test_only_the_killed_web_process_is_replaced(stack, store):
    before = web_processes(stack)
    with suppress(ServiceUnavailable):  # the killed process may be the one that handles this request
        store.set_fault("web", "kill")
    assert count_replaced(stack, before) == 1, "also if nginx has repeated the request"
    store.wait_ready()
    assert store.faults()["web"] == "none"


def test_a_repeated_fault_request_kills_only_once(stack):
    before, channel = web_processes(stack), FaultChannel(stack.var / "run")
    for _ in range(3):
        channel.request("web", "kill", request_id="the-same-request")
    assert count_replaced(stack, before) == 1


def books_of(stack):
    return json.loads(stack.shop("books", "--json").stdout)["mismatches"]


@pytest.mark.long  # test_books.py reports the duplicate order; test_idempotency.py switches the keys off
def test_retries_without_keys_pay_twice_and_the_auditor_reports_it(observe, stack, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(stack.var))  # the auditor reads the store of this folder
    before = books_of(stack)  # another test's naive sale may have left mismatches
    driver_params = {"rate": 1.0, "seconds": 1.0, "timeout_s": 0.4}
    figures = observe("checkout-retries", "off", driver_params=driver_params)["off"]
    assert figures["purchases"] == 1
    assert figures["surplus_orders"] >= 1
    assert books_of(stack) == before, "the surplus orders have been cancelled"


@pytest.fixture
def observe(store, tmp_path):
    """Return a function that measures arms of a shortened experiment once each and returns the figures of each arm.

    It gives no verdict, since other tests load the machine too; so the generator needs no process of its own.
    """
    lengths = PhaseLengths(runs=1, warm_up_s=0.3, warm_up_limit_s=0.3, open_s=0.5, closed_s=0.2).model_copy(
        update={"settle_s": IN_FORCE_S}
    )

    def observe(name, *arms, driver_params=None, rate=20.0, products=100, **of_the_arm):
        whole = experiments.load_experiment(name)
        short = whole.with_changes(
            phases=lengths,
            workload=whole.workload.with_changes(products=min(products, whole.workload.products)),
        )
        changes = {
            "parameters": short.parameter_names(),
            "faults": short.fault_names(),
            "edits_price": short.arm_driver.edits_price,
        }
        with restore_afterwards(store, tmp_path, short.switch_names(), **changes):
            runner = ExperimentRunner(short, store, SilentWatcher(), offer_load, START_S)
            changed = [
                arm.with_changes(driver_params={**arm.driver_params, **(driver_params or {})}, **of_the_arm)
                for arm in map(short.arm, arms)
            ]
            observations = [runner.measure_arm(arm, rate) for arm in changed]
        return {
            each.arm: {"curve": each.curve, "anomalies": each.anomalies, **compute_figures(each, good_within_ms=1000)}
            for each in observations
        }

    return observe


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        # the hanging cache below costs visits the longest wait; test_cache_away.py kills a cache, too
        pytest.param("killed", "down", marks=pytest.mark.long),
        ("hung", "hang"),
    ],
)
def test_no_visit_fails_while_the_cache_is_lost(observe, store, name, fault):
    actions = (ScheduledAction(at_s=0.6, fault="cache", value=fault), ScheduledAction(at_s=1.8, fault="cache"))
    driver_params = {"warm_up_s": 0.6, "seconds": 3.0, "grace_s": 0.5, "bucket_s": 0.5}
    figures = observe("cache-loss", name, driver_params=driver_params, actions=actions, products=20)[name]
    assert figures["error_rate"] == 0
    assert figures["hit_rate_before"] > 0.5
    assert figures["share_origin"] > 0.1, "the outage lasted 1.2 of 3 s"
    assert figures["peak_loads_rps"] > 0
    assert figures["anomalies"]["cache_outages"] >= 1, "the store counts the outage"
    assert active_faults(store) == {}


@pytest.mark.long  # the interrupted experiment above restores the limit; test_lab_drivers.py computes the measures
def test_cache_hot_set_raises_the_memory_limit_and_restores_it(observe, store):
    before = parameters_of(store)
    driver_params = {"limits_mb": [1.7, 16.0], "fill_s": 0.6, "measure_s": 0.3}
    arms = observe("cache-hot-set", "even", "steep", driver_params=driver_params, products=120)
    for arm in arms.values():
        limits_mb, shares = zip(*[(limit_mb, share) for limit_mb, share, *_ in arm["curve"]], strict=True)
        assert limits_mb == (1.7, 16)
        assert shares[-1] > shares[0]
    assert arms["even"]["hit_rate_most"] > 1.2 * arms["even"]["hit_rate_least"], "more memory, and not time, helps"
    assert arms["even"]["anomalies"]["evictions"] >= 1, "Valkey counts its evictions"
    assert arms["steep"]["hit_rate_least"] > arms["even"]["hit_rate_least"]
    assert parameters_of(store) == before
    assert set(before) == {TTL_SCALE, CACHE_MEMORY, WEB_PROCESSES}


@pytest.mark.long  # test_lab_drivers.py tells the layers apart; test_lab.py measures a store
def test_each_added_cache_layer_answers_requests(observe):
    shares = observe("cache-layers", "none", "shared", "local", "edge", "browser", rate=60.0, products=20)
    assert shares["none"]["share_origin"] == 1
    assert shares["shared"]["share_shared"] > 0.5
    assert shares["local"]["share_local"] > 0
    assert shares["edge"]["share_edge"] > 0.25  # in so short an arm, many requests are the first for their path
    assert shares["browser"]["share_browser"] > 0
    assert shares["edge"]["db_queries_per_request"] < shares["none"]["db_queries_per_request"]


@pytest.mark.long  # test_cache_stampede.py counts the loads; test_lab_drivers.py computes the measures
def test_cache_stampede_counts_the_loads_of_each_kind(observe, store):
    before = parameters_of(store)
    driver_params, parameters = {"ttl_s": 1.2, "after_s": 1.0, "clients": 80}, {TTL_SCALE: 1.2 / CATALOGUE.ttl_s}
    kinds, loads = ("expired", "invalidated", "cold"), {"none": [0.0], "lock": [0.0]}
    for _ in range(3):  # two unprotected requests meet by chance, and on a busy machine maybe not at once
        arms = observe("cache-stampede", "none", "lock", driver_params=driver_params, parameters=parameters)
        loads = {name: [figures[f"{kind}_loads"] for kind in kinds] for name, figures in arms.items()}
        assert min(loads["lock"]) >= 1, "each kind ends the entry, and a request loads it again"
        if sum(loads["none"]) > sum(loads["lock"]):
            break
    assert sum(loads["none"]) > sum(loads["lock"]), loads
    assert parameters_of(store) == before


@pytest.mark.long  # test_lab_drivers.py tells stale prices from valid ones; test_cache_rules.py ends a value
def test_prices_are_stale_with_ttl_only_and_never_charged(observe, store):
    slug = store.product_to_edit()
    price = store.price(slug)
    arms = observe(
        "cache-staleness", "ttl", "event", driver_params={"seconds": 0.7, "edit_every_s": 0.15, "readers": 2}
    )
    assert arms["ttl"]["stale_reads"] > arms["event"]["stale_reads"]
    assert min(figures["orders"] for figures in arms.values()) > 0
    assert {figures["wrong_price_orders"] for figures in arms.values()} == {0}
    assert store.price(slug) == price


@pytest.mark.long  # test_cache_rules.py spreads the lifetimes
def test_cache_avalanche_loads_every_expired_entry(observe):
    ttl_s = 4.2
    parameters = {TTL_SCALE: ttl_s / CATALOGUE.ttl_s}
    figures = observe("cache-avalanche", "equal", driver_params={"ttl_s": ttl_s}, parameters=parameters)["equal"]
    # Each of 75 keys is requested twice a second at random. A key without a request in the two seconds after its end
    # is not loaded (probability e^-4). On a busy machine, a long load may run beside a second load of the same key.
    assert 65 <= figures["reloaded"] <= 3 * 75
    assert figures["peak_loads_rps"] > figures["mean_loads_rps"]


@pytest.mark.long  # test_confirmation.py loses the mail inline, and keeps it in the queue
def test_mails_are_lost_inline_and_none_by_the_queue(observe, stack, store, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(stack.var))  # the auditor reads the store of this folder
    driver_params = {"rate": 4.0, "seconds": 1.0, "patience_s": 1.0}
    inline = observe("order-confirmation", "inline-down", driver_params=driver_params)["inline-down"]
    assert (inline["orders"], inline["mails_lost"]) == (4, 4)
    patient = {**driver_params, "patience_s": 30.0}
    queue = observe("order-confirmation", "queue-down", driver_params=patient)["queue-down"]
    assert (queue["orders"], queue["mails_lost"], queue["mismatches"]) == (4, 0, 0)
    assert active_faults(store) == {}


@pytest.mark.long  # test_lab_drivers.py computes the measures; the flash sale drives checkouts
def test_bystander_pages_are_measured_while_the_provider_is_down(observe, stack, store, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(stack.var))  # the driver runs the auditor and `bin/shop fault` as commands
    driver_params = {"fault": "down", "lead_s": 1.5, "seconds": 0.5, "rate": 1.0, "visits": 20.0}
    figures = observe("failing-payments", "on", driver_params=driver_params)["on"]
    assert figures["checkouts"] == 2 * WORKERS, "two seconds, one checkout a second for each web process"
    assert figures["orders"] == 0, "no payment was possible"
    assert figures["error_rate"] == figures["mismatches"] == 0
    assert None not in (figures["pages_well"], figures["threads_held"])
    assert active_faults(store) == {}


@pytest.mark.long  # test_stock_races.py sells the last piece; test_lab_drivers.py finds what was oversold
def test_a_flash_sale_sells_out_and_restores_the_stock(observe, stack, store, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(stack.var))
    before = {slug: store.available(slug) for slug in store.products(40)}
    driver_params = {"one": 12, "many": 6, "several": 3, "share": 0.5}
    figures = observe("flash-sale", "conditional", driver_params=driver_params)["conditional"]
    assert [figures[f"{shape}_oversold"] for shape in ("one", "many")] == [0, 0]
    assert figures["error_rate"] == 0.5, "nine pieces for eighteen shoppers"
    assert figures["mismatches"] == 0
    assert {slug: store.available(slug) for slug in before} == before


@pytest.mark.long  # test_stock_races.py oversells; test_lab_broken_books.py names the experiment
def test_mismatches_of_a_naive_sale_name_the_experiment(observe, stack, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(stack.var))
    reported = []
    folder, today = stack.var / "lab", datetime(2026, 1, 2, tzinfo=UTC)
    driver_params = {"one": 16, "many": 2, "several": 2, "share": 0.5}

    def audit():
        return {(mismatch.kind, mismatch.id) for mismatch in audit_mismatches()}

    with record_new_mismatches("flash-sale", folder, audit, today, reported.append):
        figures = observe("flash-sale", "naive", driver_params=driver_params)["naive"]
    assert figures["one_oversold"] >= 1
    mismatches = json.loads(stack.shop("books", "--json").stdout)["mismatches"]
    assert mismatches
    assert {mismatch["made_by"] for mismatch in mismatches} == {"flash-sale, 2026-01-02"}
    assert f"{len(mismatches)} mismatch" in reported[0]
    assert "[made on purpose by flash-sale, 2026-01-02]" in stack.shop("books").stdout


@pytest.mark.long  # test_lab_orders.py: the order; test_lab_experiments_page.py: the page; test_lab.py: a measurement
def test_shortest_quick_experiment_runs_from_the_page(stack, store):
    forms = [one.in_quick_form() for one in experiments.load_experiments().values()]
    shortest = min(forms, key=lambda one: one.expected_seconds())
    before, address, order = store.switches(), "/lab/experiments", {"experiment": shortest.name, "form": "quick"}
    with httpx.Client(
        base_url=store.base_url, headers={"Origin": store.base_url}, follow_redirects=True, timeout=PATIENCE_S
    ) as browser:
        begun = browser.post(f"{address}/run", data=order)
        assert begun.status_code == 200, begun.text
        until(lambda: f" of about {shortest.expected_seconds():.0f} s: " in browser.get(address).text, PATIENCE_S)
        page = browser.get(address).text
        assert f"<code>bin/shop lab run {shortest.name} --quick</code>, pid " in page
        refused = browser.post(f"{address}/load", data={"rate": "5", "seconds": "5"})
        assert refused.status_code == 409
        assert "The lab is in use" in refused.text
        until(lambda: "The lab is free." in browser.get(address).text, 4 * shortest.expected_seconds())
        page = browser.get(address).text
        history = page.partition('id="history"')[2]
        (run,) = re.findall(rf'href="({address}/runs/\d+T\d+-{shortest.name})"', history)
        verdict = re.search(r'class="badge badge--\w+">(\w+)<', history)
        assert verdict is not None
        assert verdict[1] in ("confirmed", "invalid", "refuted"), "a busy machine may spoil the timing"
        assert verdict[1] in browser.get(run).text
    assert store.switches() == before
