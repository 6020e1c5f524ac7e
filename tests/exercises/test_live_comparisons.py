"""The comparisons of the live stage: they fit together, and each page tells every live check."""

import pytest

from shop.exercises.definition import PAGE, load_definitions
from shop.exercises.live import load_comparison
from shop.exercises.live_judgement import RATIO, check_name
from shop.lab.experiment import load_experiments

LIVE = [one for one in load_definitions().values() if one.live is not None]
of_every_comparison = pytest.mark.parametrize("exercise", LIVE, ids=lambda one: one.name)


@of_every_comparison
def test_comparison_fits_together(exercise):
    comparison = load_comparison(exercise.live)
    names = [rule.count for rule in comparison.counts]
    assert len(set(names)) == len(names)
    assert comparison.ratio.count in names
    assert comparison.ratio.margin > 0, "an equal answer passes"
    assert comparison.experiment in {"", *load_experiments()}
    assert all(rule.says and rule.look for rule in comparison.counts if rule.at_most < float("inf"))
    assert exercise.build.switch not in comparison.switches


@of_every_comparison
def test_page_tells_every_live_check(exercise):
    comparison = load_comparison(exercise.live)
    checks = [check_name(rule.count) for rule in comparison.counts if rule.says]
    checks += [check_name("calls"), check_name(RATIO)] + [check_name("requests")] * (not comparison.failures)
    page = exercise.page(PAGE)
    assert [name for name in checks if f"`{name}`" not in page] == []
    assert "could not judge" in page
