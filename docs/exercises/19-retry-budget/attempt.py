"""Exercise 19: retries with a budget. Complete `RetryingClient`, then run `bin/shop exercise check 19`."""

from collections.abc import Callable
from typing import Any

from shop.exercises.interfaces.retry_budget import RetryLimits


class RetryingClient:
    """Makes all calls to one dependency, with retries.

    Args:
        limits: `attempts`, `base_s`, `cap_s`, `share` and `reserve`; see the page.
        remaining_s: returns the seconds until the deadline of the present request; infinity without a deadline.
        uniform: draws a number between two others, as `random.uniform` does.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        limits: RetryLimits,
        remaining_s: Callable[[], float],
        uniform: Callable[[float, float], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._limits = limits
        self._remaining_s = remaining_s
        self._uniform = uniform
        self._sleep = sleep

    def call(self, work: Callable[[], Any], *, idempotent: bool, is_retryable: Callable[[Exception], bool]) -> Any:
        """Make a call and return its value.

        Args:
            work: one attempt.
            idempotent: whether the call may be made twice.
            is_retryable: returns whether another attempt may succeed after an exception.
        """
        for _ in range(self._limits.attempts - 1):
            try:
                return work()
            except Exception:  # noqa: BLE001, S112 - whatever it was, and whatever the call does
                continue
        return work()
