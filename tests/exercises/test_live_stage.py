"""The live stage on a real store. A pattern's switch stands for an attempt: a right one, and a wrong one."""

import signal
import subprocess
import sys
import textwrap

import pytest

from shop.errors import ConfigurationError
from shop.exercises.live.ttl_jitter import COMPARISON
from shop.exercises.live_stage import LivePlan, run_live_stage
from shop.exercises.verdict import CannotJudge
from shop.lab.saved_state import FILE_NAME
from shop.lab.unprotected_store import UNPROTECTED, switches_of_measurement
from tests.support.polling import until

pytestmark = pytest.mark.xdist_group("exercise-store")
START_TIMEOUT_S = 60
SWITCH = "cache.jitter"
CHECK = """
import sys
from pathlib import Path
from tests.exercises.test_live_stage import plan
from shop.exercises.live_stage import run_live_stage
from shop.lab.store_client import StoreClient
print(run_live_stage(plan("off", arm_s=30.0), StoreClient(sys.argv[1]), Path(sys.argv[2]), print))
"""


def plan(attempt, **changes):
    """A short comparison of the exercise ttl-jitter."""
    fields = {"arm_s": 1.0, "by_counts_alone": True, **changes}
    return LivePlan(COMPARISON, SWITCH, "on", attempt, **fields)


def own_products_on_sale(store):
    return [slug for slug in store.products(100) if slug.startswith("exercise-")]


def start_check(store, folder):
    command = [sys.executable, "-c", textwrap.dedent(CHECK), store.base_url, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_right_code_passes_and_the_store_is_restored(store, switches, tmp_path):
    store.set_switch("cache.edge", "off")
    before = switches()
    reported = []
    result = run_live_stage(plan("on"), store, tmp_path / "lab", reported.append)
    assert (result.failure, result.passed) == (None, ("live-requests", "live-worst-window"))
    assert [text.split("=")[0] for text in reported] == [f"Live stage, {n} of 4: {SWITCH}" for n in (1, 2, 3, 4)]
    assert switches() == before
    assert own_products_on_sale(store) == []
    assert not (tmp_path / "lab" / FILE_NAME).exists()


def test_nobody_is_refused_while_a_check_measures(store, switches, tmp_path):
    """On a busy machine the store would refuse some of the load, which is not the subject of the exercise."""
    seen = []
    run_live_stage(plan("on"), store, tmp_path / "lab", lambda text: seen.append(switches()))
    assert [UNPROTECTED.items() <= one.items() for one in seen] == [True] * 4


def test_exercise_about_overload_sets_its_own_switches():
    own = {"overload.queue": "codel", "cache.edge": "off"}
    others = {"overload.shedding": "off", "overload.lanes": "shared"}
    assert switches_of_measurement(own) == {**others, **own}
    assert switches_of_measurement({}, "overload.queue") == others


def test_wrong_code_fails_with_counts_of_both(store, tmp_path):
    result = run_live_stage(plan("off"), store, tmp_path / "lab", lambda text: None)
    assert result.failure.check == "live-worst-window"
    assert "cache.jitter=off" in result.failure.did
    assert "100 and 100 with your code" in result.failure.came


def test_value_that_the_store_refuses_cannot_be_judged(store, switches, tmp_path):
    before = switches()
    with pytest.raises(CannotJudge, match=r"does not take cache\.jitter=moon"):
        run_live_stage(plan("moon"), store, tmp_path / "lab", lambda text: None)
    assert switches() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_interrupted_stage_restores_the_store(store, switches, tmp_path, number):
    before = switches()
    check = start_check(store, tmp_path / "lab")
    until(lambda: switches()["cache.local"] == "off", START_TIMEOUT_S)
    check.send_signal(number)
    _, errors = check.communicate(timeout=START_TIMEOUT_S)
    assert "ExperimentInterrupted" in errors
    assert switches() == before
    assert own_products_on_sale(store) == []


def test_second_stage_is_refused_and_guard_restores_a_killed_one(store, switches, tmp_path):
    before = switches()
    first = start_check(store, tmp_path / "lab")
    until(lambda: switches()["cache.local"] == "off", START_TIMEOUT_S)
    with pytest.raises(ConfigurationError, match=f"pid {first.pid}"):
        run_live_stage(plan("on"), store, tmp_path / "lab", lambda text: None)
    first.kill()
    first.communicate(timeout=START_TIMEOUT_S)
    until(lambda: switches() == before, START_TIMEOUT_S)  # by its guard
    assert run_live_stage(plan("on"), store, tmp_path / "lab", lambda text: None).failure is None
    assert own_products_on_sale(store) == []
