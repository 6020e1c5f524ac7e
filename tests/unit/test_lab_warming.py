"""The detection of a warm cache, by table and with a simulated cache."""

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
    load = []
    for begin, share in ((0.0, first), (SECONDS / 2, second)):
        load += [(begin + 0.01, 1.0, "shared" if number < share * visits else "origin") for number in range(visits)]
    return samples(load)


@pytest.mark.parametrize(
    ("first", "second", "visits", "settled", "rose"),
    [
        (0.0, 0.0, 100, True, False),  # an arm without a cache
        (1.0, 1.0, 100, True, False),
        (0.95, 0.97, 2000, True, False),
        (0.97, 0.90, 500, True, False),  # a falling hit rate is not a cache that fills
        (0.2, 0.5, 500, False, True),
        (0.05, 0.15, 100, False, False),  # the rise may be chance: neither risen nor settled
        (0.0, 0.0, 10, False, False),  # too few visits to decide
    ],
)
def test_a_hit_rate_has_settled_when_it_no_longer_rises(first, second, visits, settled, rose):
    rise = HitRateRise.of(halves(first, second, visits))
    assert (rise.has_settled, rise.still_rose) == (settled, rose)


def test_a_load_without_answers_has_no_hit_rate():
    assert HitRateRise.of(samples([(1.0, 1.0, "")])) is None


@pytest.mark.parametrize("seed", range(5))
def test_warm_up_rounds_repeat_until_a_cold_cache_is_warm(seed):
    """A miss takes ten times as long as a hit, as in the store, so one round of warm-up is not enough."""
    rng, products, cached = random.Random(seed), ZipfDistribution(range(1000), 0.65), set()

    def warm_up_round(now=0.0):
        visits = []
        while now < SECONDS:
            product = products.choose(rng)
            visits.append((now, 1.0, "shared" if product in cached else "origin"))
            now += 0.003 if product in cached else 0.033  # ten seconds here are two seconds in the store
            cached.add(product)
        return samples(visits)

    rounds = 1
    while not (rise := HitRateRise.of(warm_up_round())).has_settled:
        rounds += 1
    assert 3 <= rounds <= 20
    assert rise.second > 0.7


def test_only_increased_counters_are_anomalies():
    before = {"cache_outages": 3.0, "locks_lost": 1.0, "evictions": 7.0}
    after = {"cache_outages": 7.0, "locks_lost": 1.0, "waits_given_up": 2.0}
    assert increases(before, after) == {"cache_outages": 4.0}
    assert increases({"cache_outages": 5.0}, {"cache_outages": 1.0}) == {}, "a restarted server counts from zero"


def test_a_counter_sums_by_label_and_defaults_to_zero():
    text = 'a_total{kind="x"} 2.0\na_total{kind="y"} 3.0\nb_total 4.0\n'
    assert sum_counter(text, "a_total") == 5
    assert sum_counter(text, "a_total", ("kind", "y")) == 3
    assert sum_counter(text, "a_total", ("kind", "z")) == sum_counter(text, "c_total") == 0
    assert sum_counter(text, "b_total") == 4
