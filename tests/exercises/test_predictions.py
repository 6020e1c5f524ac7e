"""Predict exercises on a real store: gunicorn, PostgreSQL and Valkey, over HTTP."""

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.measurements.hit_rate import MEASUREMENT, PRODUCTS
from shop.exercises.prediction import judge_prediction
from shop.exercises.progress import ExerciseProgress, ProgressFile
from shop.exercises.verdict import CannotJudge
from shop.lab.saved_state import FILE_NAME
from shop.lab.store_client import StoreClient
from shop.switches.registry import SwitchSnapshot
from shop.switches.store import SwitchStore
from tests.support.accounts import CHEAP
from tests.support.factories import make_category, make_product, make_user
from tests.support.polling import until
from tests.support.web_server import WebServer

pytestmark = pytest.mark.xdist_group("exercise-store")  # one process, one store
HIT_RATE = load_definition(EXERCISES / "01-hit-rate")
CALCULATED = 67.6
START_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def address(settings, tmp_path_factory):
    """The address of a store that runs in processes of its own."""
    server = WebServer(settings, tmp_path_factory.mktemp("store"), workers=2)
    try:
        server.wait()
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def store(address, database, cache_client):
    """A client of that store, with a category and an administrator."""
    with database.transaction() as session:
        make_product(session, make_category(session))
        make_user(session, ADMIN.email, password_hash=CHEAP.hash(DEMO_PASSWORD), role="admin")
    store = StoreClient(address)
    yield store
    store.close()


@pytest.fixture
def shop(address, store, tmp_path):
    """Return a function that starts a command of the reader."""
    environment = {**os.environ, "SHOP_VAR_DIR": str(tmp_path / "var")}

    def start(*words):
        command = [sys.executable, "-m", "shop.cli", "exercise", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)

    return start


@pytest.fixture
def predicted(tmp_path):
    """The reader's prediction, which is wrong."""
    ProgressFile(tmp_path / "var").save("hit-rate", ExerciseProgress(prediction=50.0))


@pytest.fixture
def switches(database):
    """Return a function that reads the stored switches; a process of the store may know them a second later."""
    stored = SwitchStore(database, allow_unsafe=True)
    return lambda: SwitchSnapshot.from_stored(stored.load()).to_dict()


def done(process):
    said, errors = process.communicate(timeout=120)
    return process.returncode, said + errors


def products_on_sale(store):
    return [slug for slug in store.products(100) if slug in PRODUCTS]


def test_prediction_is_measured_and_the_store_restored(shop, store, switches):
    store.set_switch("cache.edge", "off")
    store.set_switch("cache.jitter", "off")
    before = switches()
    assert done(shop("predict", "1", f"{CALCULATED}"))[0] == 0
    code, said = done(shop("check", "1", "--url", store.base_url, "--json"))
    verdict = json.loads(said)
    assert (code, verdict["verdict"]) == (0, "passed"), said
    assert verdict["measured"] == pytest.approx(CALCULATED, abs=HIT_RATE.checks[0].threshold / 2)
    assert switches() == before
    assert products_on_sale(store) == []
    naive = judge_prediction(HIT_RATE, MEASUREMENT, 50.0, verdict["measured"])
    assert (naive.verdict, naive.exit_code) == ("not yet", 1)
    assert "give or take 6" in naive.failure.expected


def test_interrupted_check_restores_the_store(shop, predicted, store, switches, tmp_path):
    before = switches()
    check = shop("check", "1", "--url", store.base_url)
    until(lambda: switches()["cache.local"] == "off", START_TIMEOUT_S)
    check.send_signal(signal.SIGINT)
    code, said = done(check)
    assert code == 128 + signal.SIGINT, said
    assert switches() == before
    assert products_on_sale(store) == []
    assert not (tmp_path / "var" / "lab" / FILE_NAME).exists()


def test_second_check_names_the_first_and_restores_it_when_killed(shop, predicted, store, switches):
    before = switches()
    first = shop("check", "1", "--url", store.base_url)
    until(lambda: switches()["cache.local"] == "off", START_TIMEOUT_S)
    first.send_signal(signal.SIGSTOP)  # otherwise it may have ended before the second has started
    code, said = done(shop("check", "1", "--url", store.base_url))
    assert code == 2
    assert f"pid {first.pid}" in said
    first.kill()
    done(first)
    assert switches()["cache.local"] == "off", "a killed check cannot restore it"
    code, said = done(shop("check", "1", "--url", store.base_url))
    assert (code, said.count("was killed; restored")) == (1, 1), said
    assert "not yet: 01 Predict a hit rate" in said
    assert switches() == before
    assert products_on_sale(store) == []


def test_wait_ends_when_every_process_applies_a_switch(store):
    for value in ("off", "on", "off"):
        store.set_switch("cache.jitter", value)
        store.wait_applied()
        answers = [httpx.get(f"{store.base_url}/api/v1/switches").json() for _ in range(20)]  # of either process
        assert {item["value"] for answer in answers for item in answer["items"] if item["name"] == "cache.jitter"} == {
            value
        }


def test_bypassed_cache_could_not_be_judged(store):
    store.set_switch("cache.shared", "off")
    for name, value in MEASUREMENT.switches.items():
        if name != "cache.shared":
            store.set_switch(name, value)
    store.wait_applied()
    with pytest.raises(CannotJudge, match="fwd=bypass"):
        MEASUREMENT.measure(store, 1)
