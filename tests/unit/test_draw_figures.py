"""The rules by which results become the figures of the docs."""

from itertools import pairwise

import pytest

from loadtests.draw_figures import in_order, rejection_reason, workers_of
from shop.lab.experiment import load_experiments


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
