"""Retries, their budget and their deadline, without real waits."""

import itertools
from contextlib import suppress

import pytest

from shop.backoff import ExponentialBackoff
from shop.clock import FakeClock
from shop.patterns.resilience import (
    AdaptiveThrottle,
    BoundedRetry,
    CallRefused,
    NoBudget,
    NoRetry,
    RequestDeadline,
    RetryBudget,
    RetryQuota,
    deadlines,
)
from shop.patterns.resilience.events import CallThrottled, NotRetried, RetryScheduled


class Away(Exception):
    """A retryable error."""


class Asked(Away):
    """An answer that asks for fewer calls."""


class Wrong(Exception):
    """A permanent error."""


class Caller:
    """Makes calls that fail so many times first."""

    def __init__(self, attempts=3, budget=None, uniform=lambda low, high: high):
        self.waits, self.events, self.made = [], [], 0
        self.retry = BoundedRetry(
            "bank", attempts, budget or RetryBudget(backoff=ExponentialBackoff(0.1, 0.3)), self.events.append,
            is_throttled=lambda error: isinstance(error, Asked), uniform=uniform, sleep=self.waits.append,
        )  # fmt: skip

    def call(self, failures, error=Away, **more):
        made = []

        def work():
            self.made += 1
            made.append(1)
            if len(made) <= failures:
                raise error
            return "done"

        return self.retry.call(
            work, **{"idempotent": True, "is_retryable": lambda error: isinstance(error, Away), **more}
        )


@pytest.fixture(autouse=True)
def no_deadline():
    deadlines.begin(None)
    yield
    deadlines.begin(None)


def test_a_retry_hides_a_single_failure():
    caller = Caller()
    assert caller.call(failures=2) == "done"
    assert (caller.made, caller.waits) == (3, [0.1, 0.2])
    assert caller.events == [RetryScheduled("bank", 1, 0.1), RetryScheduled("bank", 2, 0.2)]


def test_the_error_of_the_last_attempt_is_raised():
    caller = Caller()
    with pytest.raises(Away):
        caller.call(failures=9)
    assert caller.made == 3
    assert caller.events[-1] == NotRetried("bank", "attempts")


@pytest.mark.parametrize("why", [{"error": Wrong}, {"idempotent": False}])
def test_permanent_errors_and_non_idempotent_calls_are_not_retried(why):
    caller = Caller()
    with pytest.raises((Away, Wrong)):
        caller.call(failures=9, **why)
    assert (caller.made, caller.waits) == (1, [])


def test_waits_have_full_jitter_below_a_doubling_bound():
    drawn = []
    caller = Caller(attempts=5, uniform=lambda low, high: drawn.append((low, high)) or 0.0)
    caller.call(failures=4)
    assert drawn == [(0, 0.1), (0, 0.2), (0, 0.3), (0, 0.3)]


def test_the_budget_limits_retries_to_a_share_of_calls():
    caller = Caller(budget=RetryBudget(share=0.1, reserve=5))
    for _ in range(200):
        with pytest.raises(Away):
            caller.call(failures=9)
    retries = caller.made - 200
    assert 23 <= retries <= 25  # the reserve and a tenth of two hundred; what the first calls put in runs over
    assert NotRetried("bank", "budget") in caller.events


def test_a_budget_never_exceeds_its_reserve():
    budget = RetryBudget(share=1, reserve=2)
    for _ in range(50):
        budget.admit_call()
    assert [budget.withdraw() for _ in range(3)] == [1, 1, None]


def test_no_retry_waits_beyond_the_deadline():
    clock, budget = FakeClock(), RetryBudget(share=0, reserve=1)
    caller = Caller(budget=budget)
    deadlines.begin(RequestDeadline.within(0.05, clock))
    with pytest.raises(Away):
        caller.call(failures=9)
    assert (caller.made, caller.events) == (1, [NotRetried("bank", "deadline")])
    assert budget.withdraw() == 1


def fail(caller, calls, error=Away):
    """Make calls whose attempts all fail; return the number of attempts."""
    before = caller.made
    for _ in range(calls):
        with pytest.raises((Away, CallRefused)):
            caller.call(failures=99, error=error)
    return caller.made - before


def test_a_quota_pays_35_retries_and_then_none():
    caller = Caller(budget=RetryQuota())
    assert fail(caller, 100) == 100 + 500 // 14
    assert caller.events[-1] == NotRetried("bank", "budget")


def test_retry_of_a_throttled_call_is_cheaper_and_waits_longer():
    caller = Caller(budget=RetryQuota())
    assert fail(caller, 100, Asked) == 100 + 500 // 5
    assert caller.waits[:2] == [1.0, 2.0]
    other = Caller(budget=RetryQuota())
    fail(other, 1)
    assert other.waits == [0.05, 0.1]


def test_success_returns_what_its_retry_took_or_one_token():
    caller = Caller(budget=RetryQuota(capacity=28))
    caller.call(failures=1)  # takes 14 and returns them
    assert fail(caller, 1) == 3  # takes 28
    for _ in range(13):
        caller.call(failures=0)
    assert fail(caller, 1) == 1, "13 tokens are too few"
    caller.call(failures=0)
    assert fail(caller, 1) == 2


def test_a_final_error_returns_no_token_of_a_quota():
    caller = Caller(budget=RetryQuota(capacity=28))
    fail(caller, 1)
    for _ in range(50):
        with pytest.raises(Wrong):
            caller.call(failures=9, error=Wrong)
    assert fail(caller, 1) == 1


def test_throttle_sends_ever_less_while_nothing_is_answered():
    chances = itertools.cycle(number / 97 for number in range(97))
    caller = Caller(budget=AdaptiveThrottle(FakeClock(), chance=lambda: next(chances)))
    assert fail(caller, 1_000) < 20
    assert caller.events[-1] == CallThrottled("bank")


def test_throttle_refuses_nothing_while_half_is_answered():
    caller = Caller(budget=AdaptiveThrottle(FakeClock(), chance=lambda: 0.0), attempts=2)
    caller.call(failures=0)  # else the first failure is half of all attempts
    for _ in range(200):
        assert caller.call(failures=1) == "done"
    assert caller.made == 401


@pytest.mark.parametrize("calls", [{"failures": 0}, {"failures": 9, "error": Wrong}])
def test_a_throttle_ends_when_the_server_answers_again(calls):
    clock = FakeClock()
    caller = Caller(budget=AdaptiveThrottle(clock, window_s=120, chance=lambda: 0.5))
    fail(caller, 50)
    assert fail(caller, 1) == 0
    clock.advance(133)  # the window and one slice of it: the failures no longer count
    for _ in range(20):
        with suppress(Wrong):
            caller.call(**calls)
    before = caller.made
    with suppress(Wrong):
        caller.call(**calls)
    assert caller.made == before + 1


def test_without_a_budget_each_call_has_all_its_attempts():
    assert fail(Caller(budget=NoBudget()), 100) == 300


def test_no_retry_makes_one_attempt():
    made = []
    with pytest.raises(ZeroDivisionError):
        NoRetry().call(lambda: made.append(1) or 1 / 0, idempotent=True, is_retryable=lambda error: True)
    assert made == [1]
