import itertools
import random

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.lab.arrivals import CLASSIC_EXPONENT, ZipfDistribution, arrival_times, think_time
from shop.lab.experiment import ExperimentWorkload
from shop.lab.load import LoadPhase
from shop.lab.statistics import FigureSpread, percentile


@given(
    st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=200),
    st.floats(0, 100, allow_subnormal=False),
)
def test_percentiles_agree_with_numpy(samples, percent):
    assert percentile(samples, percent) == pytest.approx(float(numpy.percentile(samples, percent)), rel=1e-9, abs=1e-9)


def test_a_percentile_needs_samples():
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def test_a_spread_has_the_median_the_lowest_and_the_highest():
    assert FigureSpread.of([3.0, 1.0, 20.0]) == FigureSpread(median=3.0, low=1.0, high=20.0)


def test_a_spread_ignores_runs_without_the_figure():
    assert FigureSpread.of([None, 2.0]) == FigureSpread(2.0, 2.0, 2.0)
    assert FigureSpread.of([None]) is None


def test_poisson_arrivals_have_their_rate_and_exponential_gaps():
    moments = list(arrival_times("poisson", 100, 50, random.Random(1)))
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert len(moments) == pytest.approx(5000, rel=0.05)
    assert numpy.std(gaps) == pytest.approx(numpy.mean(gaps), rel=0.1)


def test_constant_arrivals_are_even():
    assert list(arrival_times("constant", 4, 1.1, random.Random(1))) == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_the_first_rank_of_zipf_has_twice_the_second():
    chance, law = random.Random(1), ZipfDistribution(["first", "second", "third"], exponent=1.0)
    picked = [law.choose(chance) for _ in range(20_000)]
    assert picked.count("first") / picked.count("second") == pytest.approx(2, rel=0.1)
    assert picked.count("first") / picked.count("third") == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(
    "exponent", [LoadPhase.model_fields["exponent"].default, ExperimentWorkload.model_fields["exponent"].default]
)
def test_the_default_demand_matches_real_sales(exponent):
    """Of the 500 products complete-journey sold most often the first has 4.1 % of purchases, the first ten 16.7 %."""
    law = ZipfDistribution(range(500), exponent)
    assert law.share(1) == pytest.approx(0.041, abs=0.01)
    assert law.share(10) == pytest.approx(0.167, abs=0.03)
    assert ZipfDistribution(range(500), CLASSIC_EXPONENT).share(10) > 2 * law.share(10)


def test_exponent_zero_makes_all_items_equally_popular():
    chance, law = random.Random(1), ZipfDistribution("ab", exponent=0)
    assert [law.choose(chance) for _ in range(10_000)].count("a") == pytest.approx(5_000, rel=0.05)


def test_think_times_have_their_median_and_a_long_tail():
    chance = random.Random(1)
    times = [think_time(3.0, 0.8, chance) for _ in range(10_000)]
    assert numpy.median(times) == pytest.approx(3.0, rel=0.05)
    assert max(times) > 20
