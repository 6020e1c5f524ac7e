"""The interface of the exercise ``retry-budget``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class RetryLimits:
    """How often a call is made again, and after which wait.

    Args:
        attempts: number of attempts at most, the first one included.
        base_s: the longest wait before the second attempt, in seconds; it doubles with each further attempt.
        cap_s: the longest wait of all, in seconds.
        share: tokens that each call adds to the budget.
        reserve: tokens in the full budget.
    """

    attempts: int = 3
    base_s: float = 0.1
    cap_s: float = 2.0
    share: float = 0.1
    reserve: float = 10.0


class RetriedCalls(Protocol):
    """Makes the calls to one dependency, with retries."""

    def call(self, work: Callable[[], T], *, idempotent: bool, is_retryable: Callable[[Exception], bool]) -> T:
        """Make a call and return its value.

        Args:
            work: one attempt.
            idempotent: whether the call may be made twice.
            is_retryable: returns whether another attempt may succeed after an exception.

        Raises:
            Exception: of the last attempt, unchanged.
        """
        ...


class RetryFactory(Protocol):
    """Builds the retries of one dependency when a process starts."""

    def __call__(
        self,
        limits: RetryLimits,
        remaining_s: Callable[[], float],
        uniform: Callable[[float, float], float],
        sleep: Callable[[float], None],
    ) -> RetriedCalls:
        """Return the object that makes all calls to the dependency.

        Args:
            limits: how often, and after which wait.
            remaining_s: returns the seconds until the deadline of the present request; infinity without a deadline.
            uniform: draws a number between two others, as ``random.uniform`` does.
            sleep: waits, in seconds.
        """
        ...
