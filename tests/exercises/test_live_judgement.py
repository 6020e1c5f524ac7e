"""The verdict on the arms of a live comparison, and the load that they are measured with."""

import threading
import time

import pytest

from shop.exercises.live import CountRule, LiveComparison, RatioRule
from shop.exercises.live_judgement import ArmResult, check_lateness, judge_arms
from shop.exercises.open_load import offer_open_load
from shop.exercises.verdict import CannotJudge

LOADS = CountRule("loads", "loads", "at most 10 loads", "Look here.", at_most=10)
COMPARISON = LiveComparison(
    did="requests",
    measure=lambda arm: {},
    rate=1.0,
    counts=(LOADS,),
    ratio=RatioRule("loads", 2.0, "Look there."),
    experiment="x",
)
LATE_MS = 400.0


def arms(*loads, lags=(0, 0, 0, 0), **failed):
    """Arms in their order: store, attempt, attempt, store."""
    sides = (False, True, True, False)
    failures = [failed if is_attempt else {} for is_attempt in sides]
    return [
        ArmResult(is_attempt, {"loads": count}, lag, **more)
        for is_attempt, count, lag, more in zip(sides, loads, lags, failures, strict=True)
    ]


def test_kept_bounds_and_ratio_pass():
    result = judge_arms(COMPARISON, arms(4, 5, 7, 4), "Load.")
    assert result.failure is None
    assert result.passed == ("live-requests", "live-loads", "live-ratio")
    assert result.ratio == 1.5
    assert result.figures[0] == "loads: 5 and 7 with your code, 4 and 4 with the store's own"


def test_broken_bound_in_one_arm_fails():
    result = judge_arms(COMPARISON, arms(4, 5, 11, 4), "Load.")
    failure = result.failure
    assert (failure.check, failure.did, failure.expected) == ("live-loads", "Load.", "at most 10 loads.")
    assert (failure.came, failure.look) == (
        "loads: 5 and 11 with your code, 4 and 4 with the store's own.",
        "Look here.",
    )


def test_high_ratio_fails_and_short_arms_ignore_it():
    seen = arms(4, 9, 9, 4)
    failure = judge_arms(COMPARISON, seen, "Load.").failure
    assert (failure.check, failure.look) == ("live-ratio", "Look there.")
    assert failure.came.startswith("2.25 times")
    assert judge_arms(COMPARISON, seen, "Load.", with_ratio=False).failure is None


def test_count_of_zero_has_a_ratio():
    assert judge_arms(COMPARISON, arms(0, 1, 1, 0), "Load.").ratio == 1.0


@pytest.mark.parametrize(("ratio", "is_cleared"), [(0.2, True), (1.0, True), (1.4, True), (1.45, False), (1.8, False)])
def test_margin_is_the_distance_from_an_equal_answer(ratio, is_cleared):
    rule = RatioRule("loads", 1.8, "Look there.")
    assert rule.margin == pytest.approx(0.8)
    assert rule.is_cleared_twice(ratio) is is_cleared


def test_bound_that_the_store_does_not_keep_cannot_be_judged():
    with pytest.raises(CannotJudge, match="store's own code did not"):
        judge_arms(COMPARISON, arms(4, 50, 50, 11), "Load.")


def test_failed_request_fails_the_attempt_before_its_counts():
    failed = {"failed": 2, "first_failure": ("GET /p", "500: no"), "request_id": "abc"}
    failure = judge_arms(COMPARISON, arms(4, 50, 50, 4, **failed), "Load.").failure
    assert (failure.check, failure.look) == ("live-requests", "bin/shop logs --request abc")
    assert failure.came == "GET /p: 500: no (4 failed)."


def test_failed_request_of_the_store_cannot_be_judged():
    seen = [*arms(4, 5, 5, 4)[:3], ArmResult(False, {"loads": 4}, 0.0, 1, ("GET /p", "no response"))]
    with pytest.raises(CannotJudge, match="GET /p: no response"):
        judge_arms(COMPARISON, seen, "Load.")


@pytest.mark.parametrize(
    ("lags", "words"),
    [((LATE_MS, 0, 0, 0), "too busy:"), ((0, 0, LATE_MS, 0), "too busy while your code was in force")],
)
def test_late_generator_cannot_judge(lags, words):
    with pytest.raises(CannotJudge, match=words):
        check_lateness(arms(4, 5, 5, 4, lags=lags))


def test_arrivals_do_not_wait_for_earlier_ends():
    begun, together = threading.Barrier(3), []

    def action():
        begun.wait(10)
        together.append(time.monotonic())

    load = offer_open_load([action] * 3, rate=100.0)
    assert len(together) == 3
    assert load.due_s == [0.0, 0.01, 0.02]
    assert min(load.latencies_ms) >= 0


def test_burst_begins_together_at_the_same_rate():
    load = offer_open_load([lambda: None] * 6, rate=100.0, burst=3)
    assert load.due_s == [0.0, 0.0, 0.0, 0.03, 0.03, 0.03]


def test_action_without_an_end_has_no_result():
    release = threading.Event()
    load = offer_open_load([lambda: 1, release.wait], rate=100.0, drain_s=0.1)
    release.set()
    assert load.results == [1, None]
    assert load.latencies_ms[1] >= 100


def test_error_of_an_action_is_raised():
    with pytest.raises(ZeroDivisionError):
        offer_open_load([lambda: 1 / 0], rate=100.0)
