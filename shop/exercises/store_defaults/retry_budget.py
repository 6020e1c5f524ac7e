"""The store's retries in the form of the exercise ``retry-budget``."""

from collections.abc import Callable
from typing import TypeVar

from shop.backoff import ExponentialBackoff
from shop.exercises.interfaces.retry_budget import RetryLimits
from shop.exercises.store_defaults.handed_in_clock import HandedInClock
from shop.patterns.resilience import BoundedRetry, RequestDeadline, RetryBudget, deadlines

T = TypeVar("T")


class DeadlineRetry:
    """The store's retries, under a deadline that is handed in.

    Args:
        retry: the store's own.
        deadline: of every call.
    """

    def __init__(self, retry: BoundedRetry, deadline: RequestDeadline) -> None:
        self._retry = retry
        self._deadline = deadline

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: Callable[[Exception], bool]) -> T:
        """Make a call while the deadline is in force."""
        deadlines.begin(self._deadline)
        try:
            return self._retry.call(work, idempotent=idempotent, is_retryable=is_retryable)
        finally:
            deadlines.begin(None)


def retrying(
    limits: RetryLimits,
    remaining_s: Callable[[], float],
    uniform: Callable[[float, float], float],
    sleep: Callable[[float], None],
) -> DeadlineRetry:
    """Return the store's retries.

    Args:
        limits: how often, and after which wait.
        remaining_s: read by the deadline: its clock counts the remaining seconds down to 0.
        uniform: draws a wait.
        sleep: waits.
    """
    budget = RetryBudget(limits.share, limits.reserve, ExponentialBackoff(limits.base_s, limits.cap_s))
    retry = BoundedRetry("exercise", limits.attempts, budget, uniform=uniform, sleep=sleep)
    return DeadlineRetry(retry, RequestDeadline(0.0, HandedInClock(lambda: -remaining_s())))
