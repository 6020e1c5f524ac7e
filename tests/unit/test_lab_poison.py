"""The pure parts of the driver that counts whom one poisonous client hits."""

from itertools import combinations
from math import comb

import pytest

from shop.lab.drivers.poison import (
    FAILURES,
    SLOWER,
    InnocentOutcome,
    compute_measures,
    has_same_lanes,
    is_hit,
)
from shop.lab.page_visitors import PageVisit
from shop.patterns.overload.lanes import LANES, expected_share


def visit(ms, *, succeeded=True):
    return PageVisit(0.0, ms, succeeded)


QUICK = [visit(10.0)] * 4


def test_two_failed_visits_hit_a_client():
    failed = visit(10.0, succeeded=False)
    assert not is_hit(QUICK, [failed] * (FAILURES - 1) + QUICK)
    assert is_hit(QUICK, [failed] * FAILURES + QUICK)


def test_ten_times_slower_visits_hit_a_client():
    assert not is_hit(QUICK, [visit(SLOWER * 10.0)] * 4)
    assert is_hit(QUICK, [visit(SLOWER * 10.0 + 1)] * 4)


def test_shares_are_counted_with_and_without_same_lanes():
    outcomes = [InnocentOutcome(is_exposed=n < 2, is_hit=n in (0, 9)) for n in range(10)]
    measures = compute_measures(outcomes, 2)
    assert measures["hit"] == 0.2
    assert measures["exposed"] == 0.2
    assert measures["exposed_hit"] == 0.5
    assert measures["others_hit"] == pytest.approx(1 / 8)
    assert measures["predicted"] == pytest.approx(1 / comb(LANES, 2))


def test_share_of_nobody_is_unknown():
    measures = compute_measures([InnocentOutcome(is_exposed=True, is_hit=False)], LANES)
    assert measures["others_hit"] is None
    assert measures["exposed_hit"] == 0.0


def test_every_client_shares_all_lanes_of_a_shared_store():
    assert has_same_lanes("127.3.4.5", "127.9.9.9", LANES)


def test_drawn_addresses_meet_as_often_as_predicted():
    addresses = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(120)]
    pairs = list(combinations(addresses, 2))
    met = sum(has_same_lanes(one, other, 2) for one, other in pairs) / len(pairs)
    assert met == pytest.approx(expected_share(LANES, 2), rel=0.3)
