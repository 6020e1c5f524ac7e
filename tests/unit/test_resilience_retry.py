"""Retries, their budget and their deadline, without real waits."""

import pytest

from shop.backoff import ExponentialBackoff
from shop.clock import FakeClock
from shop.patterns.resilience import BoundedRetry, NoRetry, RequestDeadline, RetryBudget, deadlines
from shop.patterns.resilience.events import NotRetried, RetryScheduled


class Away(Exception):
    """A retryable error."""


class Wrong(Exception):
    """A permanent error."""


class Caller:
    """Makes calls that fail so many times first."""

    def __init__(self, attempts=3, budget=None, uniform=lambda low, high: high):
        self.waits, self.events, self.made = [], [], 0
        self.retry = BoundedRetry(
            "bank", attempts, budget or RetryBudget(), ExponentialBackoff(0.1, 0.3), self.events.append,
            uniform=uniform, sleep=self.waits.append,
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
        budget.deposit()
    assert [budget.withdraw() for _ in range(3)] == [True, True, False]


def test_no_retry_waits_beyond_the_deadline():
    clock, budget = FakeClock(), RetryBudget(share=0, reserve=1)
    caller = Caller(budget=budget)
    deadlines.begin(RequestDeadline.within(0.05, clock))
    with pytest.raises(Away):
        caller.call(failures=9)
    assert (caller.made, caller.events) == (1, [NotRetried("bank", "deadline")])
    assert budget.withdraw()


def test_no_retry_makes_one_attempt():
    made = []
    with pytest.raises(ZeroDivisionError):
        NoRetry().call(lambda: made.append(1) or 1 / 0, idempotent=True, is_retryable=lambda error: True)
    assert made == [1]
