"""Retries with backoff, jitter and a budget, in one layer.

Problem: most network failures are over a moment later, so a second attempt succeeds. But retries of several layers
multiply, retries at the same time arrive together, and retries without a limit keep an overloaded server down.
Method: only one layer retries. The wait is drawn from 0 to a bound that doubles with each attempt (full jitter). A
budget limits the retries of all calls (``retry_budget``). There is no retry whose wait would end after the deadline,
and none of a call that is not idempotent.
Switches: ``payments.retries``, ``retry.budget``. Experiments: ``failing-payments``, ``retry-budgets``.
Source: Marc Brooker, "Exponential Backoff And Jitter" (AWS, 2015) and "Timeouts, retries and backoff with jitter".
"""

import random
import time
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

from shop.patterns.resilience import deadlines
from shop.patterns.resilience.events import CallThrottled, Emit, NotRetried, RetryScheduled, ignore
from shop.patterns.resilience.retry_budget import AttemptBudget

T = TypeVar("T")
IsRetryable = Callable[[Exception], bool]
"""Returns whether another attempt may succeed after this error."""


class CallRefused(Exception):
    """The budget admits no attempt of this call: the dependency has answered too few of the last ones."""


def is_never_throttled(error: Exception) -> bool:
    """Return ``False``: for a dependency that never asks for fewer calls."""
    return False


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
            CallRefused: no attempt was made.
        """


class BoundedRetry:
    """Retries with backoff, within attempts, deadline and budget.

    Args:
        dependency: its name, for the events.
        attempts: number of attempts at most, the first one included.
        budget: shared by all calls to the dependency.
        emit: receives each retry, and each refusal of a retry or a call.
        is_throttled: returns whether an error is an answer that asks for fewer calls.
        uniform: draws from an interval.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        dependency: str,
        attempts: int,
        budget: AttemptBudget,
        emit: Emit = ignore,
        *,
        is_throttled: IsRetryable = is_never_throttled,
        uniform: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dependency = dependency
        self._attempts = attempts
        self._budget = budget
        self._emit = emit
        self._is_throttled = is_throttled
        self._uniform = uniform
        self._sleep = sleep

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: IsRetryable) -> T:
        """See :class:`RetryStrategy`."""
        if not self._budget.admit_call():
            self._emit(CallThrottled(self._dependency))
            raise CallRefused
        attempt, paid = 1, 0.0
        while True:
            try:
                result = work()
            except Exception as error:
                if not is_retryable(error):
                    self._budget.record_final_error()
                    raise
                if not idempotent:
                    raise
                throttled = self._is_throttled(error)
                wait_s = self._uniform(0, self._budget.backoff(throttled=throttled).bound_s(attempt))
                refusal, paid = self._pay(attempt, wait_s, throttled=throttled)
                if refusal is not None:
                    self._emit(NotRetried(self._dependency, refusal))
                    raise
                self._emit(RetryScheduled(self._dependency, attempt, wait_s))
            else:
                self._budget.record_success(paid)
                return result
            self._sleep(wait_s)
            attempt += 1

    def _pay(
        self, attempt: int, wait_s: float, *, throttled: bool
    ) -> tuple[Literal["attempts", "deadline", "budget"] | None, float]:
        """Pay for a retry; return the limit that forbids it, or ``None``, and what was paid."""
        if attempt >= self._attempts:
            return "attempts", 0.0
        if wait_s >= deadlines.remaining():
            return "deadline", 0.0
        paid = self._budget.withdraw(throttled=throttled)  # last: what is paid is spent
        return ("budget", 0.0) if paid is None else (None, paid)


class NoRetry:
    """The variant without retries."""

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: IsRetryable) -> T:
        """See :class:`RetryStrategy`."""
        return work()
