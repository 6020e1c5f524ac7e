"""A new experiment from the template, and two runs side by side."""

import pytest

from shop.errors import ConfigurationError
from shop.lab.comparison import compare_runs
from shop.lab.experiment import load_experiments, parse_experiment
from shop.lab.new_experiment import write_experiment


def test_a_new_experiment_is_valid_and_has_a_quick_form(tmp_path):
    path = write_experiment("cache-of-carts", tmp_path)
    experiment = load_experiments(tmp_path)["cache-of-carts"]
    assert experiment.in_quick_form().phases.runs == 2
    assert "TODO" in path.read_text()


@pytest.mark.parametrize("name", ["Cache", "../cache", "cache_of", "-x"])
def test_a_malformed_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match="lower-case words"):
        write_experiment(name, tmp_path)


def test_an_existing_experiment_is_kept(tmp_path):
    path = write_experiment("carts", tmp_path)
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match="exists"):
        write_experiment("carts", tmp_path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "replacement", "told"),
    [
        ("products = 500", 'products = "many"', "workload.products"),
        ("warm_up_s = 2.0", "warm_up_s = 2.0\nwarmth = 1", "phases.warmth"),
        ('arms = ["off", "on"]', 'arms = ["off", "onn"]', "no such arm: onn"),
        ("arms.off.db_queries_per_request >= 3", "arms.off.quiries >= 3", "no such figure: quiries"),
    ],
)
def test_a_mistake_names_line_and_field(tmp_path, text, replacement, told):
    valid = write_experiment("carts", tmp_path).read_text()
    assert valid.count(text) == 1
    broken = valid.replace(text, replacement)
    line = 1 + next(n for n, row in enumerate(broken.splitlines()) if replacement.splitlines()[-1] in row)
    with pytest.raises(ConfigurationError, match=rf"carts\.toml, line {line}: ") as refusal:
        parse_experiment(broken, "carts.toml")
    assert told in str(refusal.value)


def result(**changes):
    arm = {
        "name": "on",
        "title": "with",
        "p50_ms": 2.0,
        "hit_rate": {},
        "measures": {},
        "spread": {"p50_ms": {"min": 2.0, "max": 2.0}},
    }
    whole = {"experiment": "a", "verdict": "look", "reason": "One run.", "machine": {"cpus": 2}, "runs": 1}
    return {**whole, "arms": [{**arm, **changes.pop("arm", {})}], **changes}


def test_two_runs_stand_side_by_side():
    slower = {"p50_ms": 4.0, "spread": {"p50_ms": {"min": 3.0, "max": 5.0}}}
    compared = compare_runs(result(), result(arm=slower, machine={"cpus": 8}, runs=2, form="quick"))
    assert compared.arms == [("with", [("Median wait", "2.00 ms", "4.00 ms (3.00 to 5.00)")])]
    assert compared.verdicts == ("look: One run.", "look: One run.")
    assert len(compared.warnings) == 3


def test_an_arm_of_one_run_only_is_left_out():
    assert compare_runs(result(), result(arm={"name": "other"})).arms == []


def test_result_of_an_earlier_release_is_of_the_same_machine():
    assert compare_runs(result(), result(machine={"cpus": 2, "processor": "Some CPU"})).warnings == []
