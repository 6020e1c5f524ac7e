"""The cache's pure decisions, tested with examples and properties."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.clock import FakeClock
from shop.database.connection import GRACE_S
from shop.patterns.caching.entry import (
    CATALOGUE,
    JITTER_SHARE,
    CacheEntry,
    check_freshness,
    decode,
    digest,
    encode,
    limit_lifetime,
    no_jitter,
    scaled,
    spread,
    stored_tags,
    xfetch,
)
from shop.patterns.caching.levels import NullLevel, ReadResult
from shop.patterns.caching.load_options import BACKOFF_S, FailureBackoff, LoadOptions
from shop.patterns.caching.loader import CacheLoader, CacheRequest
from shop.patterns.caching.lock import lock_name
from shop.patterns.caching.lock_strategy import MAX_WAIT_S, StampedeState
from shop.patterns.caching.refresh import HALF_LIFE_S, POPULAR, HitCounter, RefreshAhead, RefreshWorker
from shop.settings import Settings

draws = st.floats(0.0, 1.0)
NOW = 1_000_000.0


def entry(fresh_until=NOW + 60, grace_until=NOW + 120, versions=("1",)):
    return CacheEntry(b"value", fresh_until, grace_until, 0.02, versions)


@given(draw=draws)
def test_a_lifetime_stays_within_a_tenth_of_its_class(draw):
    assert 300 * (1 - JITTER_SHARE) <= spread(300, draw) <= 300 * (1 + JITTER_SHARE)


def test_lifetimes_reach_both_ends_and_the_middle():
    assert [round(spread(100, draw), 9) for draw in (0.0, 0.5, 1.0)] == [90.0, 100.0, 110.0]
    assert no_jitter(100) == 100


@given(draw=draws, load_s=st.floats(0.0, 10.0), beta=st.floats(0.1, 10.0))
def test_xfetch_never_exceeds_the_expiry(draw, load_s, beta):
    assert xfetch(NOW, load_s, draw, beta) <= NOW


@pytest.mark.parametrize("load_s", [0.001, 0.1, 2.0])
def test_xfetch_is_ahead_by_one_load_on_average(load_s):
    evenly = [(number + 0.5) / 10_000 for number in range(10_000)]
    ahead = [NOW - xfetch(NOW, load_s, draw) for draw in evenly]
    assert statistics.mean(ahead) == pytest.approx(load_s, rel=0.01)  # the mean of the exponential distribution
    assert statistics.median(ahead) == pytest.approx(load_s * math.log(2), rel=0.01)


def test_a_larger_beta_refreshes_sooner():
    assert xfetch(NOW, 1.0, 0.3, beta=2.0) < xfetch(NOW, 1.0, 0.3, beta=1.0)


@pytest.mark.parametrize(
    ("kept", "versions", "state", "served"),
    [
        (entry(), ("1",), "fresh", True),
        (entry(fresh_until=NOW), ("1",), "expired", True),
        (entry(fresh_until=NOW - 60, grace_until=NOW), ("1",), "missing", False),
        (entry(), ("2",), "invalidated", False),
        (entry(fresh_until=NOW), ("2",), "invalidated", False),
        (entry(), (None,), "invalidated", False),
        (entry(), ("1", "1"), "invalidated", False),
    ],
)
def test_freshness_depends_on_time_and_every_tag(kept, versions, state, served):
    verdict = check_freshness(ReadResult(encode(kept), versions), NOW)
    assert (verdict.state, verdict.entry is not None) == (state, served)


@pytest.mark.parametrize(
    ("left_s", "longest_s", "state"), [(330, 330, "fresh"), (331, 330, "expired"), (1e9, 330, "expired")]
)
def test_an_entry_with_a_too_long_lifetime_is_expired(left_s, longest_s, state):
    """A clock that was ahead has stored it, so its age is unknown."""
    kept = entry(fresh_until=NOW + left_s, grace_until=NOW + left_s + 60)
    verdict = limit_lifetime(check_freshness(ReadResult(encode(kept), ("1",)), NOW), kept, NOW, longest_s)
    assert verdict.state == state
    if state == "expired":
        assert (verdict.entry.fresh_until, verdict.entry.grace_until) == (NOW, NOW + 60)


def test_an_absent_entry_is_missing():
    assert check_freshness(ReadResult(None, ("1",)), NOW).state == "missing"


@given(
    value=st.binary(),
    fresh=st.floats(0, 4e9),
    load_s=st.floats(0, 100),
    versions=st.lists(st.text(alphabet="0123456789abcdef", min_size=1)),
    negative=st.booleans(),
)
def test_a_decoded_entry_equals_the_encoded_one(value, fresh, load_s, versions, negative):
    before = CacheEntry(
        value, round(fresh, 3), round(fresh + 60, 3), round(load_s, 6), tuple(versions), negative, digest(value)
    )
    stored = encode(before, ["a", "b:c"])
    assert decode(stored) == before
    assert stored_tags(stored) == ("a", "b:c")
    assert stored.partition(b"\n")[2] == value


@given(st.binary())
def test_arbitrary_bytes_never_raise(stored):
    decode(stored)


@given(st.text().filter(lambda text: "\n" not in text), st.binary())
def test_arbitrary_headers_never_raise(header, value):
    decode(header.encode() + b"\n" + value)


def test_a_lock_name_depends_on_the_key_and_every_version():
    assert lock_name("k", ["1", "2"]) == lock_name("k", ["1", "2"])
    assert (
        len(
            {lock_name("k", ["1", "2"]), lock_name("k", ["2", "1"]), lock_name("k", ["12"]), lock_name("l", ["1", "2"])}
        )
        == 4
    )


def test_popularity_counts_recent_requests():
    clock = FakeClock()
    counts = HitCounter(clock)
    for _ in range(int(POPULAR)):
        counts.count("hot")
    counts.count("cold")
    assert (counts.is_popular("hot"), counts.is_popular("cold")) == (True, False)
    clock.advance(HALF_LIFE_S)
    counts.count("another")
    assert not counts.is_popular("hot")


def test_hit_counter_is_bounded_and_forgets_rare_keys():
    clock = FakeClock()
    counts = HitCounter(clock, limit=10)
    for number in range(1000):
        counts.count(f"k{number}")
    for _ in range(2 * int(POPULAR)):
        counts.count("k500")
    assert not counts.is_popular("k500")  # all places were taken before it came
    clock.advance(HALF_LIFE_S)
    counts.count("k0")
    for _ in range(int(POPULAR)):
        counts.count("newcomer")
    assert counts.is_popular("newcomer")


def test_a_key_backs_off_after_a_failure_for_its_time():
    clock = FakeClock()
    throttle = FailureBackoff(clock)
    throttle.record_failure("k")
    assert (throttle.is_backing_off("k"), throttle.is_backing_off("other")) == (True, False)
    clock.advance(BACKOFF_S)
    assert not throttle.is_backing_off("k")


def test_failure_backoff_is_bounded_and_forgets_the_oldest_key():
    throttle = FailureBackoff(FakeClock(), limit=3)
    for number in range(5):
        throttle.record_failure(f"k{number}")
    assert [throttle.is_backing_off(f"k{number}") for number in range(5)] == [False, False, True, True, True]


def test_a_scaled_lifetime_is_multiplied():
    assert scaled(no_jitter, 0.01)(300) == 3


def test_a_popular_key_is_refreshed_in_its_last_fifth():
    clock = FakeClock()
    filler = CacheLoader(NullLevel(), clock, options=LoadOptions(lifetime=scaled(no_jitter, 0.01)))
    popularity = HitCounter(clock)
    ahead = RefreshAhead(filler, StampedeState(), popularity, RefreshWorker())
    ask = CacheRequest("k", CATALOGUE, (), lambda: b"")
    entry = filler.load(ask, (), "miss").entry
    assert ahead.refresh_at(ask, entry) == entry.fresh_until
    for _ in range(int(POPULAR)):
        popularity.count("k")
    assert entry.fresh_until - ahead.refresh_at(ask, entry) == pytest.approx(0.2 * 0.01 * CATALOGUE.ttl_s, rel=0.01)


def test_the_longest_wait_exceeds_the_statement_timeout():
    assert Settings.model_fields["db_statement_timeout_ms"].default / 1000 + GRACE_S < MAX_WAIT_S
