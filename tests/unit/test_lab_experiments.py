from types import SimpleNamespace

import pytest

from shop import faults
from shop.cli.lab_measure import with_processes
from shop.errors import ConfigurationError, NotFound
from shop.lab.arrivals import CLASSIC_EXPONENT, SHOPPERS_EXPONENT
from shop.lab.experiment import APPLY_S, EXPERIMENTS, load_experiment, load_experiments, parse_experiment
from shop.lab.quick_form import SETTLE_S
from shop.lab.unprotected_store import UNPROTECTED
from shop.patterns.edge.tag_purger import REPEAT_S, STALE_WORKER_S
from shop.switches import parameters
from shop.switches.registry import validate

CACHE_ASIDE = (EXPERIMENTS / "cache-aside.toml").read_text()
THREE_MINUTES_WITH_ROOM_S = 160
QUICK_AVERAGE_S = 25


@pytest.mark.parametrize("experiment", load_experiments().values(), ids=lambda one: one.name)
def test_every_experiment_sets_existing_switches(experiment):
    for arm in experiment.arms:
        for name, value in arm.switches.items():
            validate(name, value, allow_unsafe=True)


@pytest.mark.parametrize("experiment", load_experiments().values(), ids=lambda one: one.name)
def test_every_experiment_uses_existing_faults_and_parameters(experiment):
    for arm in experiment.arms:
        for name, value in arm.faults.items():
            faults.validate(name, value)
        for action in arm.actions:
            faults.validate(action.fault, action.value)
        for name, value in experiment.parameters_for(arm).items():
            parameters.validate(name, value)
    assert experiment.fault_names() <= set(faults.FAULTS)
    assert experiment.parameter_names() <= set(parameters.LAB_PARAMETERS)


@pytest.mark.parametrize("experiment", load_experiments().values(), ids=lambda one: one.name)
def test_every_experiment_takes_less_than_three_minutes(experiment):
    assert experiment.expected_seconds() < THREE_MINUTES_WITH_ROOM_S, "a slow machine needs longer"


def test_an_arm_may_have_a_longer_warm_up():
    layers = load_experiment("cache-layers")
    hasty = layers.with_changes(arms=tuple(arm.with_changes(warm_up_s=None) for arm in layers.arms))
    assert layers.phases_of(layers.arm("edge")).warm_up_s == 6
    assert hasty.phases_of(hasty.arm("edge")).warm_up_s == hasty.phases.warm_up_s
    # Two arms have it in both runs. The caches of an arm that is measured again at once are still full.
    assert layers.phases_of(layers.arm("edge"), flipped=False) == layers.phases
    assert layers.arms_of_run(0)[-1] == layers.arms_of_run(1)[0] != layers.arm("edge")
    longer_s = 6 - hasty.phases.warm_up_s
    assert layers.expected_seconds() - hasty.expected_seconds() == pytest.approx(4 * longer_s)
    quick, quick_hasty = (one.in_quick_form() for one in (layers, hasty))
    longer_s = 6 - quick.phases.warm_up_s
    assert quick.expected_seconds() - quick_hasty.expected_seconds() == pytest.approx(longer_s)


@pytest.mark.parametrize(
    ("text", "replacement", "message"),
    [
        ('title = "Cache', 'tittle = "x"\ntitle = "Cache', "tittle"),
        ("exponent = 0.65", 'exponent = "steep"', "workload.exponent"),
        ("exponent = 0.65", "exponent = 0.65\nusers = 5", "workload.users"),
        ('arm = "off", share', 'arm = "of", share', "no such arm: of"),
        ("ratios.p50_off_over_on >= 2", "ratios.p51 >= 2", "no ratio p51"),
        ("ratios.p50_off_over_on >= 2", "ratios.p50_off_over_on > fast", "write it as"),
        ("off.p50_ms / on.p50_ms", "off.p50_ms - on.p50_ms", "write it as"),
        ("off.p50_ms / on.p50_ms", "off.p51_ms / on.p50_ms", "no such figure: p51_ms"),
        ("arms.on.db_queries_per_request", "arms.on.queries", "no such figure: queries"),
        ('calibrate = { arm = "off", share = 0.5 }', "", "either rate or calibrate"),
        ("[[workload.visits]]", "[[workload.visits", "not TOML"),
        ('title = "Cache', 'driver = "stampeed"\ntitle = "Cache', "Did you mean stampede?"),
        ('title = "Cache', 'driver_params = { path = "/" }\ntitle = "Cache', "path"),
        ('title = "without', 'browsers = -1\ntitle = "without', "arms.0.browsers"),
        ('title = "without', 'actions = [{ fault = "cache" }]\ntitle = "without', "arms.0.actions.0.at_s"),
    ],
)
def test_a_mistake_in_an_experiment_is_reported(text, replacement, message):
    assert text in CACHE_ASIDE
    with pytest.raises(ConfigurationError, match=r"bad\.toml") as refusal:
        parse_experiment(CACHE_ASIDE.replace(text, replacement), "bad.toml")
    assert message in str(refusal.value)


def test_experiment_and_file_have_the_same_name(tmp_path):
    (tmp_path / "other.toml").write_text(CACHE_ASIDE)
    with pytest.raises(ConfigurationError, match="must have the same name"):
        load_experiments(tmp_path)


def test_an_unknown_experiment_name_gets_a_suggestion():
    with pytest.raises(NotFound, match="Did you mean cache-aside"):
        load_experiment("cache-asid")


ABOUT_OVERLOAD = {"metastable", "metastable-retries", "overload", "shuffle-sharding"}


def test_experiments_protect_the_store_only_if_they_name_it():
    for experiment in load_experiments().values():
        for arm in experiment.arms:
            named = {name: arm.switches[name] for name in UNPROTECTED if name in arm.switches}
            assert bool(named) == (experiment.name in ABOUT_OVERLOAD)
            assert {**UNPROTECTED, **named}.items() <= experiment.values_of(arm).items()
        assert set(UNPROTECTED) <= experiment.switch_names(), "they are restored, too"


def test_a_shorter_duration_keeps_the_proportion_of_phases():
    experiment = parse_experiment(CACHE_ASIDE, "cache-aside.toml").with_duration(6.5, 2)
    phases = experiment.phases
    assert phases.runs == 2
    assert (phases.open_s, phases.closed_s) == (pytest.approx(6.5 * 5.5 / 8.5), pytest.approx(6.5 * 3 / 8.5))


def test_only_arms_named_for_it_have_steeper_demand():
    named = {}
    for experiment in load_experiments().values():
        named |= {(experiment.name, arm.name): experiment.exponent_of(arm) for arm in experiment.arms}
    steep = {key for key, exponent in named.items() if exponent > SHOPPERS_EXPONENT}
    assert {arm for _, arm in steep} == {"classic", "steep"}
    assert {name for name, arm in steep if arm == "classic"} >= {"cache-aside", "cache-layers", "cache-penetration"}
    assert {named[key] for key in steep if key[1] == "classic"} == {CLASSIC_EXPONENT}


def test_steady_state_is_measured_when_edge_has_dealt_with_flip():
    experiments = load_experiments()
    phases = experiments["flash-sale"].phases
    assert phases.settle_s + experiments["flash-sale"].edge_settle_s > STALE_WORKER_S + REPEAT_S
    assert experiments["cache-aside"].edge_settle_s == 0  # its steady state has no edge


@pytest.mark.parametrize("experiment", load_experiments().values(), ids=lambda one: one.name)
def test_every_quick_form_repeats_and_keeps_the_headline(experiment):
    quick = experiment.in_quick_form()
    assert quick.phases.runs >= 2, "one run claims nothing"
    assert quick.headline.claim in quick.verdict.all_claims
    assert quick.expected_seconds() < experiment.expected_seconds()
    assert quick.in_quick_form() is quick


def test_quick_forms_take_25_seconds_on_average():
    seconds = [one.in_quick_form().expected_seconds() for one in load_experiments().values()]
    assert sum(seconds) / len(seconds) <= QUICK_AVERAGE_S


def test_a_flip_that_changes_nothing_takes_no_time():
    demand = load_experiment("cache-hot-set").in_quick_form()  # its arms differ in the shoppers only
    flipped = demand.arms[1].with_changes(switches={**demand.arms[1].switches, "cache.jitter": "off"})
    flips = demand.with_changes(arms=(demand.arms[0], flipped))
    # The order is 2 (steady state), 2 1, 1 2, 2.
    assert flips.expected_seconds() - demand.expected_seconds() == pytest.approx(2 * (APPLY_S - SETTLE_S))


@pytest.mark.parametrize("experiment", load_experiments().values(), ids=lambda one: one.name)
def test_the_first_run_begins_with_the_arm_in_force(experiment):
    for form in (experiment, experiment.in_quick_form()):
        calibrate = form.workload.calibrate
        in_force = calibrate.arm if calibrate else form.steady_state.arm
        first, second = form.arms_of_run(0), form.arms_of_run(1)
        assert first == tuple(reversed(second)), "the order alternates"
        assert in_force not in {form.arms[0].name, form.arms[-1].name} or first[0].name == in_force


def test_a_quick_form_leaves_out_claims_about_missing_arms():
    stampede = load_experiments()["cache-stampede"]
    quick = stampede.in_quick_form()
    assert "arms.lock.cold_loads <= 1" in stampede.verdict.all_claims
    assert "arms.lock.cold_loads <= 1" not in quick.verdict.all_claims
    assert [arm.name for arm in quick.arms] == ["none", "lock-early"]


def test_a_quick_form_brings_scheduled_faults_forward():
    loss = load_experiments()["cache-loss"]
    killed = loss.in_quick_form().arm("killed")
    assert [action.at_s for action in killed.actions] == [
        action.at_s * loss.quick.actions_share for action in loss.arm("killed").actions
    ]


@pytest.mark.parametrize(
    ("text", "replacement", "message"),
    [
        ('arms = ["off", "on"]', 'arms = ["off", "of"]', "quick: no such arm: of"),
        ('arms = ["off", "on"]', 'arms = ["off", "classic"]', "needs an arm that the quick form leaves out"),
        ('arms = ["off", "on"]', 'arms = ["off", "on"]\nruns = 1', "quick.runs"),
    ],
)
def test_a_mistake_in_a_quick_form_is_reported(text, replacement, message):
    assert text in CACHE_ASIDE
    with pytest.raises(ConfigurationError, match=message):
        parse_experiment(CACHE_ASIDE.replace(text, replacement), "bad.toml")


def test_too_few_processes_of_a_foreign_server_are_refused():
    server = SimpleNamespace(workers=lambda: 2, parameters=dict)
    with pytest.raises(ConfigurationError, match="bin/shop up --workers 4"):
        with_processes(load_experiments()["cache-stampede"], server)
