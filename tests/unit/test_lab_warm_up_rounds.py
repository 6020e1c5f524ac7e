"""How often an arm is warmed up: until its hit rate is stable, and once if no cache can answer."""

from contextlib import closing

import pytest

from shop.cli.lab_progress import SilentWatcher
from shop.lab.experiment import load_experiment
from shop.lab.load import LoadSamples, ShopperVisit
from shop.lab.runner import ExperimentRunner
from shop.lab.store_client import StoreClient

ROUND_S = 0.8
HOME = ShopperVisit(name="home", paths=("/",))
WITHOUT_CACHE, WITH_CACHE = "off", "on"


def few_visits():
    """Return a round of a slow machine: so few visits that a hit rate of zero is not certain."""
    return LoadSamples(
        offered=6,
        seconds=ROUND_S,
        latencies_ms=[100.0] * 6,
        succeeded=[True] * 6,
        due_s=[0.1, 0.2, 0.3, 0.5, 0.6, 0.7],
        answered_by=["origin"] * 6,
        calls=6,
        queries=6,
        lookups={},
        errors={},
        cpu_share=0.1,
        release_lag_p95_ms=1.0,
    )


def rounds_of(arm_name):
    """Return how many rounds warm an arm on a slow machine; no store is asked, since the rounds are given."""
    experiment = load_experiment("cache-aside")
    arms = tuple(arm.with_changes(visits=(HOME,)) for arm in experiment.arms)
    quick = experiment.with_changes(arms=arms).in_quick_form()
    rounds = []
    with closing(StoreClient("http://127.0.0.1:9")) as store:
        runner = ExperimentRunner(quick, store, SilentWatcher(), lambda phase, _: rounds.append(phase) or few_visits())
        runner.warm_up(quick.arm(arm_name), ROUND_S)
    return len(rounds)


@pytest.mark.parametrize(("arm_name", "repeated"), [(WITHOUT_CACHE, False), (WITH_CACHE, True)])
def test_an_arm_without_cache_is_warmed_up_once(arm_name, repeated):
    assert (rounds_of(arm_name) > 1) == repeated


def test_an_arm_may_hit_a_cache_unless_all_are_off():
    experiment = load_experiment("cache-aside")
    off, on = experiment.arm(WITHOUT_CACHE), experiment.arm(WITH_CACHE)
    assert [experiment.may_hit_a_cache(arm) for arm in (off, on)] == [False, True]
    assert experiment.may_hit_a_cache(off.with_changes(browsers=5)), "a browser's own cache warms up, too"
    unnamed = {name: value for name, value in off.switches.items() if name != "cache.local"}
    assert experiment.may_hit_a_cache(off.with_changes(switches=unnamed)), "the default may be on"
