"""Predict exercises on a real store: gunicorn, PostgreSQL and Valkey, over HTTP."""

import json
import signal

import httpx
import pytest

from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.measurements.hit_rate import MEASUREMENT, PRODUCTS
from shop.exercises.prediction import judge_prediction
from shop.exercises.progress import ExerciseProgress, ProgressFile
from shop.exercises.verdict import CannotJudge
from shop.lab.saved_state import FILE_NAME
from tests.support.polling import until
from tests.support.process_cleanup import kill_with_children

pytestmark = pytest.mark.xdist_group("exercise-store")  # one process, one store
HIT_RATE = load_definition(EXERCISES / "01-hit-rate")
CALCULATED = 67.6
START_TIMEOUT_S = 60


@pytest.fixture
def predicted(tmp_path):
    """The reader's prediction, which is wrong."""
    ProgressFile(tmp_path / "var").save("hit-rate", ExerciseProgress(prediction=50.0))


def done(process):
    said, errors = process.communicate(timeout=120)
    return process.returncode, said + errors


def products_on_sale(store):
    return [slug for slug in store.products(100) if slug in PRODUCTS]


def test_prediction_is_measured_and_the_store_restored(start_shop, store, switches):
    store.set_switch("cache.edge", "off")
    store.set_switch("cache.jitter", "off")
    before = switches()
    assert done(start_shop("predict", "1", f"{CALCULATED}"))[0] == 0
    code, said = done(start_shop("check", "1", "--url", store.base_url, "--json"))
    verdict, notes = said[: said.rindex("}") + 1], said[said.rindex("}") + 1 :]
    verdict = json.loads(verdict)
    assert notes.strip() == f"Measuring takes about {MEASUREMENT.seconds} seconds, longer on a busy machine."
    assert (code, verdict["verdict"]) == (0, "passed"), said
    assert verdict["measured"] == pytest.approx(CALCULATED, abs=HIT_RATE.checks[0].threshold / 2)
    assert switches() == before
    assert products_on_sale(store) == []
    naive = judge_prediction(HIT_RATE, MEASUREMENT, 50.0, verdict["measured"])
    assert (naive.verdict, naive.exit_code) == ("not yet", 1)
    assert "give or take 6" in naive.failure.expected


@pytest.mark.long  # test_live_stage.py interrupts one and restores the store; test_command.py ends with this exit code
def test_interrupted_check_restores_the_store(start_shop, predicted, store, switches, tmp_path):
    before = switches()
    check = start_shop("check", "1", "--url", store.base_url)
    until(lambda: switches()["cache.local"] == "off", START_TIMEOUT_S)
    check.send_signal(signal.SIGINT)
    code, said = done(check)
    assert code == 128 + signal.SIGINT, said
    assert switches() == before
    assert products_on_sale(store) == []
    assert not (tmp_path / "var" / "lab" / FILE_NAME).exists()


@pytest.mark.long  # test_live_stage.py refuses a second stage, and restores a killed one
def test_second_check_names_the_first_and_restores_it_when_killed(start_shop, predicted, store, switches):
    before = switches()
    first = start_shop("check", "1", "--url", store.base_url)
    until(lambda: switches()["cache.local"] == "off", START_TIMEOUT_S)
    first.send_signal(signal.SIGSTOP)  # otherwise it may have ended before the second has started
    code, said = done(start_shop("check", "1", "--url", store.base_url))
    assert code == 2
    assert f"pid {first.pid}" in said
    kill_with_children(first)
    assert switches()["cache.local"] == "off", "a killed check cannot restore it"
    code, said = done(start_shop("check", "1", "--url", store.base_url))
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
