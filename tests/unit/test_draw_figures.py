"""The rules by which results become the figures of the docs."""

import os
import subprocess
import sys
from itertools import pairwise

import pytest

from loadtests.draw_figures import estimated_minutes, in_order, rejection_reason, stored_names, workers_of
from shop.lab.experiment import load_experiment, load_experiments
from shop.settings import PROJECT_ROOT


@pytest.mark.parametrize(
    ("verdict", "correctness", "timing", "stored"),
    [
        ("confirmed", "confirmed", "confirmed", True),
        ("confirmed", None, "confirmed", True),
        ("confirmed", "confirmed", None, True),
        ("confirmed", "confirmed", "invalid", False),
        ("refuted", "confirmed", "refuted", False),
        ("invalid", None, "invalid", False),
        ("look", None, None, False),
    ],
)
def test_only_fully_confirmed_results_replace_a_figure(verdict, correctness, timing, stored):
    judged = {"correctness": correctness, "timing": timing}
    reason = rejection_reason({"verdict": verdict, "judged": judged, "reason": "why"})
    assert (reason is None) is stored
    assert stored or reason == f"{verdict}: why"


def test_experiments_that_damage_the_books_run_last():
    order = in_order(list(load_experiments().values()))
    assert len(order) == len(load_experiments())
    for experiment, following in pairwise(order):
        assert workers_of(experiment) <= workers_of(following), "one store for each number of web processes"
        assert workers_of(experiment) < workers_of(following) or experiment.breaks_books <= following.breaks_books


def test_by_default_every_stored_figure_is_measured_anew():
    assert set(stored_names()) <= set(load_experiments())
    assert stored_names() == [path.stem for path in sorted((PROJECT_ROOT / "docs" / "figures").iterdir())]


def test_estimate_adds_the_experiments_and_one_start_for_each_store():
    one, another = (load_experiment(name) for name in ("cache-aside", "cache-layers"))
    takes_s = one.expected_seconds() + another.expected_seconds()
    starts = len({workers_of(one), workers_of(another)})
    assert estimated_minutes([one, another]) == pytest.approx(takes_s / 60 + starts / 2, abs=0.5)


def printed_command(*variables, **environment):
    command = ["make", "-C", PROJECT_ROOT, "-n", "--no-print-directory", "figures", *variables]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return done.stdout.split("loadtests/draw_figures.py")[1].split()


def test_make_passes_the_names_of_its_command_line_on():
    assert printed_command(NAME="cache-layers") == [], "a NAME in the environment may be another program's"
    assert printed_command("NAME=cache-layers flash-sale") == ["'cache-layers'", "'flash-sale'"]


def test_unknown_figure_is_refused_before_anything_is_started():
    script = PROJECT_ROOT / "loadtests" / "draw_figures.py"
    done = subprocess.run([sys.executable, script, "cache-layer"], capture_output=True, text=True)
    assert (done.returncode, "There is no experiment 'cache-layer'" in done.stderr) == (2, True), done.stderr
