"""What the last request lines say together."""

import pytest

from shop.patterns.observability.recent import summarise, who_answered


def line(second=0.0, **fields):
    return {"ts": f"2026-01-02T03:04:{second:06.3f}Z", "status": 200, "queries": 0, "cache": [], **fields}


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"cache": ["shop-shared; fwd=miss; stored", "shop-local; fwd=miss"], "queries": 6}, "database"),
        ({"cache": ["shop-shared; hit; ttl=3", "shop-local; fwd=miss; stored"]}, "Valkey"),
        ({"cache": ["shop-local; hit; ttl=3"]}, "local memory"),
        ({"cache": ["shop-local; hit; ttl=3"], "status": 304}, "browser's own copy"),
        ({}, "application"),
    ],
)
def test_a_request_was_answered_by_whoever_had_the_answer(fields, who):
    assert who_answered(line(**fields)) == who


def test_rates_are_reckoned_from_the_first_to_the_last():
    recent = summarise([line(2, queries=6), line(0), line(1)])
    assert (recent.requests_a_second, recent.queries_a_second) == (1, 3)


def test_one_request_makes_no_rate_and_none_makes_nothing():
    assert summarise([line()]).requests_a_second is None
    assert summarise([]).answered == ()
