"""When a cache counts as warm, by table and by a cache that fills."""

import random

import pytest

from shop.lab.anomalies import increases
from shop.lab.arrivals import ZipfDistribution
from shop.lab.metrics_client import sum_counter
from shop.lab.warm_up import HitRateRise
from tests.unit.test_lab_drivers import samples

SECONDS = 10.0


def halves(first, second, visits):
    """Samples with a share of hits in each half of a load."""
    found = []
    for begin, share in ((0.0, first), (SECONDS / 2, second)):
        found += [(begin + 0.01, 1.0, "shared" if number < share * visits else "origin") for number in range(visits)]
    return samples(found)


@pytest.mark.parametrize(
    ("first", "second", "visits", "settled", "rose"),
    [
        (0.0, 0.0, 100, True, False),  # an arm without a cache
        (1.0, 1.0, 100, True, False),
        (0.95, 0.97, 2000, True, False),
        (0.97, 0.90, 500, True, False),  # what falls is not being filled
        (0.2, 0.5, 500, False, True),
        (0.05, 0.15, 100, False, False),  # hardly more than chance: not enough to call it risen, nor to call it settled
        (0.0, 0.0, 10, False, False),  # too few to tell
    ],
)
def test_a_hit_rate_has_settled_when_it_no_longer_rises(first, second, visits, settled, rose):
    rise = HitRateRise.of(halves(first, second, visits))
    assert (rise.has_settled, rise.still_rose) == (settled, rose)


def test_a_load_that_nobody_answered_says_nothing_of_a_cache():
    assert HitRateRise.of(samples([(1.0, 1.0, "")])) is None


@pytest.mark.parametrize("seed", range(5))
def test_a_cold_cache_is_warmed_until_it_answers_most(seed):
    """A miss costs ten times a hit, as in the store: the first piece of two seconds would not have done."""
    chance, products, kept = random.Random(seed), ZipfDistribution(range(1000), 0.65), set()

    def piece(now=0.0):
        seen = []
        while now < SECONDS:
            product = products.choose(chance)
            seen.append((now, 1.0, "shared" if product in kept else "origin"))
            now += 0.003 if product in kept else 0.033  # ten seconds here are two there
            kept.add(product)
        return samples(seen)

    pieces = 1
    while not (rise := HitRateRise.of(piece())).has_settled:
        pieces += 1
    assert 3 <= pieces <= 20
    assert rise.second > 0.7


def test_only_what_rose_since_is_trouble():
    before = {"cache_outages": 3.0, "locks_lost": 1.0, "evictions": 7.0}
    after = {"cache_outages": 7.0, "locks_lost": 1.0, "waits_given_up": 2.0}
    assert increases(before, after) == {"cache_outages": 4.0}
    assert increases({"cache_outages": 5.0}, {"cache_outages": 1.0}) == {}, "a server started anew counts from zero"


def test_a_counter_is_added_up_by_its_label_and_is_zero_before_its_first_count():
    text = 'a_total{kind="x"} 2.0\na_total{kind="y"} 3.0\nb_total 4.0\n'
    assert sum_counter(text, "a_total") == 5
    assert sum_counter(text, "a_total", ("kind", "y")) == 3
    assert sum_counter(text, "a_total", ("kind", "z")) == sum_counter(text, "c_total") == 0
    assert sum_counter(text, "b_total") == 4
