"""The arithmetic of the lab's live figures: what happened between two readings of the sums."""

import math

import pytest
from prometheus_client import CollectorRegistry

from shop.patterns.observability.live_figures import (
    LONGEST_S,
    EdgeReading,
    SumsReading,
    percentile_ms,
    point_between,
    sum_points,
)
from shop.patterns.observability.live_sums import WebSums, WebSumsReader, add_up
from shop.patterns.observability.metrics import ProcessMetrics
from shop.patterns.observability.request_record import RequestRecord


def web(requests=0, **fields):
    return WebSums(requests=requests, **fields)


def edge(at, requests=0, **fields):
    named = {"failed": 0, "hits": 0, "not_modified": 0, "lookups": 0, "durations": {}, **fields}
    return EdgeReading(at=at, requests=requests, **named)


def test_rates_are_differences_by_seconds():
    before = SumsReading(100.0, web(10, failed=1, queries=20))
    after = SumsReading(102.0, web(30, failed=2, queries=60, in_flight=3))
    point = point_between(before, after)
    assert (point.requests_per_s, point.errors_per_s, point.queries_per_s, point.in_flight) == (10, 0.5, 20, 3)


def test_answers_and_lookups_are_those_of_the_interval():
    before = SumsReading(1.0, web(5, answers={"local": 5}, lookups={"shop-local": (9, 5)}))
    after = SumsReading(2.0, web(9, answers={"local": 8, "database": 1}, lookups={"shop-local": (19, 13)}))
    point = point_between(before, after)
    assert point.answers == {"local": 3, "database": 1}
    assert point.lookups == {"shop-local": (10, 8)}


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (SumsReading(100.0 + LONGEST_S + 0.1, web(20)), "nobody has looked meanwhile"),
        (SumsReading(101.0, web(3)), "the web server was restarted"),
        (SumsReading(100.0, web(20)), "no time has passed"),
    ],
)
def test_a_gap_or_a_restart_has_no_point(after, why):
    assert point_between(SumsReading(100.0, web(10)), after) is None, why


def test_requests_are_those_of_the_edge_where_there_is_one():
    before = SumsReading(10.0, web(2), edge(10.0, 100, hits=90, lookups=95))
    after = SumsReading(11.0, web(3), edge(11.0, 140, hits=125, not_modified=5, lookups=133))
    point = point_between(before, after)
    assert point.requests_per_s == 40
    assert point.answers == {"edge": 30, "browser": 5}
    assert point.lookups["shop-edge"] == (38, 35)


def test_rates_of_the_edge_stand_until_it_writes_again():
    first, second = edge(10.0, 100), edge(11.0, 150)
    point = point_between(SumsReading(11.1, web(), second), SumsReading(12.0, web(), second), first)
    assert point.requests_per_s == 50


def test_an_edge_that_writes_nothing_has_no_requests():
    first, second = edge(10.0, 100), edge(11.0, 150)
    point = point_between(SumsReading(19.0, web(), second), SumsReading(20.0, web(), second), first)
    assert point.requests_per_s == 0
    assert point.p50_ms is None


def test_first_requests_after_a_rest_are_not_spread_over_it():
    point = point_between(SumsReading(70.0, web(), edge(10.0, 100)), SumsReading(71.0, web(), edge(70.9, 130)))
    assert point.requests_per_s == 20


@pytest.mark.parametrize(
    ("durations", "share", "ms"),
    [
        ({0.01: 10, 0.02: 0}, 0.5, 5),
        ({0.01: 50, 0.02: 50}, 0.95, 19),
        ({0.01: 1, 5.0: 0, math.inf: 9}, 0.95, 5000),
        ({0.01: 0}, 0.5, None),
        ({}, 0.5, None),
    ],
)
def test_percentiles_are_estimated_within_their_bucket(durations, share, ms):
    assert percentile_ms(durations, share) == (None if ms is None else pytest.approx(ms))


def test_points_add_up():
    points = [
        {"answers": {"edge": 2, "local": 1}, "lookups": {"shop-local": [3, 1]}},
        {"answers": {"edge": 1}, "lookups": {"shop-local": [1, 1], "shop-edge": [4, 3]}},
    ]
    assert sum_points(points) == {
        "answers": {"edge": 3, "local": 1},
        "lookups": {"shop-local": [4, 2], "shop-edge": [4, 3]},
    }
    assert sum_points([]) == {"answers": {}, "lookups": {}}


@pytest.fixture
def metrics():
    """The metrics of a process that has answered three requests."""
    metrics = ProcessMetrics(CollectorRegistry())
    for status, cache, queries in (
        (200, {"shop-local": "shop-local; hit; ttl=3"}, 0),
        (200, {"shop-shared": "shop-shared; fwd=miss; stored"}, 4),
        (503, {}, 1),
    ):
        metrics.observe_request("GET", "/p/<slug>", status, RequestRecord(queries=queries, cache=cache))
    return metrics


def test_sums_of_a_single_process_are_those_of_its_registry(metrics):
    sums = WebSumsReader(metrics.registry).read()
    assert (sums.requests, sums.failed, sums.queries, sums.in_flight) == (3, 1, 5, 0)
    assert sums.answers == {"local": 1, "database": 2}
    assert sum(sums.durations.values()) == 3, "each request is in one bucket"


def test_breakers_are_read_for_each_process():
    sums = add_up([(("breakers", "payments"), 2.0), (("breakers", "payments"), 0.0), (("down", "shop-shared"), 1.0)])
    assert sums.breakers == {"payments": (2, 0), "shop-shared": (2,)}
