"""Which runs become the documentation's figures."""

from itertools import pairwise

import pytest

from loadtests.draw_figures import in_order, left_alone_because, workers_of
from shop.lab.experiment import load_experiments


@pytest.mark.parametrize(
    ("verdict", "correctness", "timing", "drawn"),
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
def test_only_fully_confirmed_results_replace_a_figure(verdict, correctness, timing, drawn):
    judged = {"correctness": correctness, "timing": timing}
    reason = left_alone_because({"verdict": verdict, "judged": judged, "reason": "why"})
    assert (reason is None) is drawn
    assert drawn or reason == f"{verdict}: why"


def test_experiments_that_damage_the_books_run_last():
    order = in_order(list(load_experiments().values()))
    assert len(order) == len(load_experiments())
    for one, following in pairwise(order):
        assert workers_of(one) <= workers_of(following), "one store for all that need as many processes"
        assert workers_of(one) < workers_of(following) or one.breaks_books <= following.breaks_books
