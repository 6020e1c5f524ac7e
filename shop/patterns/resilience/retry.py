"""Retries with backoff, jitter and a budget, in one layer.

Problem: most network failures are over a moment later, so a second attempt succeeds. But retries of several layers
multiply, retries at the same time arrive together, and retries without a limit keep an overloaded server down.
Method: only one layer retries. The wait is drawn from 0 to a bound that doubles with each attempt (full jitter). A
budget limits the retries to a share of the calls. There is no retry whose wait would end after the deadline, and none
of a call that is not idempotent.
Switch: ``payments.retries``. Experiment: ``failing-payments``.
Source: Marc Brooker, "Exponential Backoff And Jitter" (AWS, 2015) and "Timeouts, retries and backoff with jitter".
"""

import random
import time
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

from shop.backoff import ExponentialBackoff
from shop.patterns.resilience import deadlines
from shop.patterns.resilience.events import Emit, NotRetried, RetryScheduled, ignore
from shop.patterns.resilience.retry_budget import RetryBudget

BACKOFF = ExponentialBackoff(base_s=0.1, cap_s=2.0)

T = TypeVar("T")
IsRetryable = Callable[[Exception], bool]
"""Returns whether another attempt may succeed after this error."""


class RetryStrategy(Protocol):
    """Makes a call, with or without retries."""

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: IsRetryable) -> T:
        """Make the call.

        Args:
            work: one attempt.
            idempotent: whether the call may be made twice; otherwise there is one attempt.
            is_retryable: returns whether another attempt may succeed after an error.

        Raises:
            Exception: of the last attempt.
        """


class BoundedRetry:
    """Retries with backoff, within attempts, deadline and budget.

    Args:
        dependency: its name, for the events.
        attempts: number of attempts at most, the first one included.
        budget: shared by all calls to the dependency.
        backoff: the bounds of the waits.
        emit: receives each retry, and each refusal of a retry.
        uniform: draws from an interval.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        dependency: str,
        attempts: int,
        budget: RetryBudget,
        backoff: ExponentialBackoff = BACKOFF,
        emit: Emit = ignore,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dependency = dependency
        self._attempts = attempts
        self._budget = budget
        self._backoff = backoff
        self._emit = emit
        self._uniform = uniform
        self._sleep = sleep

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: IsRetryable) -> T:
        """See :class:`RetryStrategy`."""
        self._budget.deposit()
        attempt = 1
        while True:
            try:
                return work()
            except Exception as error:
                if not idempotent or not is_retryable(error):
                    raise
                wait_s = self._uniform(0, self._backoff.bound_s(attempt))
                if (refusal := self._refusal(attempt, wait_s)) is not None:
                    self._emit(NotRetried(self._dependency, refusal))
                    raise
                self._emit(RetryScheduled(self._dependency, attempt, wait_s))
            self._sleep(wait_s)
            attempt += 1

    def _refusal(self, attempt: int, wait_s: float) -> Literal["attempts", "deadline", "budget"] | None:
        """Return the limit that forbids a retry; ``None`` if there is a retry."""
        if attempt >= self._attempts:
            return "attempts"
        if wait_s >= deadlines.remaining():
            return "deadline"
        return None if self._budget.withdraw() else "budget"  # last: a withdrawn token is spent


class NoRetry:
    """The variant without retries."""

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: IsRetryable) -> T:
        """See :class:`RetryStrategy`."""
        return work()
