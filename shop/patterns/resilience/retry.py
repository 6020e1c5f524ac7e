"""Retries: asking again, seldom, later, and in one place.

Problem: most failures of a network are over a moment later, so one more attempt hides them. Attempts on every layer
multiply, attempts in step arrive together, and attempts without a bound keep a struggling server down.
Method: one layer retries and no other. The waits are drawn from the whole interval up to a bound that doubles (full
jitter). A budget holds retries to a share of the calls. A wait that would outlast the deadline is not begun. Only calls
that may safely be made twice are.
Switch: ``payments.retries``. Experiment: ``failing-payments``.
Source: Marc Brooker, "Exponential Backoff And Jitter" (AWS, 2015) and "Timeouts, retries and backoff with jitter".
"""

import random
import time
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

from shop.backoff import ExponentialBackoff
from shop.patterns.resilience import deadlines
from shop.patterns.resilience.budget import RetryBudget
from shop.patterns.resilience.events import Emit, NotRetried, RetryScheduled, ignore

BACKOFF = ExponentialBackoff(base_s=0.1, cap_s=2.0)

T = TypeVar("T")
IsRetryable = Callable[[Exception], bool]
"""Tells whether another attempt could end otherwise."""


class RetryStrategy(Protocol):
    """Makes a call, perhaps more than once."""

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: IsRetryable) -> T:
        """Make the call.

        Args:
            work: one attempt.
            idempotent: whether it may be done twice; if not, it is tried once.
            is_retryable: whether a failure is worth another attempt.

        Raises:
            Exception: what the last attempt raised.
        """


class BoundedRetry:
    """The retrying variant.

    Args:
        dependency: whom the calls go to, for those who listen.
        attempts: how often at most, the first one counted.
        budget: shared by all calls to the dependency.
        backoff: the bounds of the waits.
        emit: told of each retry, and of each that was not made.
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
        """See :class:`Retries`."""
        self._budget.deposit()
        attempt = 1
        while True:
            try:
                return work()
            except Exception as error:
                if not idempotent or not is_retryable(error):
                    raise
                wait_s = self._uniform(0, self._backoff.bound_s(attempt))
                refusal = self._refusal(attempt, wait_s)
                if refusal is not None:
                    self._emit(NotRetried(self._dependency, refusal))
                    raise
                self._emit(RetryScheduled(self._dependency, attempt, wait_s))
            self._sleep(wait_s)
            attempt += 1

    def _refusal(self, attempt: int, wait_s: float) -> Literal["attempts", "deadline", "budget"] | None:
        if attempt >= self._attempts:
            return "attempts"
        if wait_s >= deadlines.remaining():
            return "deadline"
        return None if self._budget.withdraw() else "budget"  # last: what it takes out is spent


class NoRetry:
    """The variant without retries."""

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: IsRetryable) -> T:
        """See :class:`Retries`."""
        return work()
