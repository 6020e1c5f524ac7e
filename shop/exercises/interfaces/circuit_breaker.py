"""The interface of the exercise ``circuit-breaker``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class BreakerLimits:
    """When a breaker opens and closes.

    Args:
        failure_rate: share of failed calls that opens it, 0 to 1.
        min_calls: with fewer calls in the window it stays closed.
        window_s: length of the window, in seconds.
        open_s: seconds from opening to the first trial.
        trials: number of calls that are made while it is half-open.
    """

    failure_rate: float = 0.5
    min_calls: int = 10
    window_s: float = 10.0
    open_s: float = 5.0
    trials: int = 3


class GuardedCalls(Protocol):
    """Makes or refuses the calls to one dependency."""

    def call(self, work: Callable[[], T], is_failure: Callable[[Exception], bool | None]) -> T:
        """Make the call and return its value, or refuse it.

        Args:
            work: the call.
            is_failure: returns whether an exception of the call is a failure of the dependency.

        Raises:
            CircuitOpen: the call was refused.
            Exception: of the call, unchanged.
        """
        ...


class BreakerFactory(Protocol):
    """Builds the breaker of one dependency when a process starts."""

    def __call__(self, limits: BreakerLimits, clock: Callable[[], float]) -> GuardedCalls:
        """Return the breaker.

        Args:
            limits: when it opens and closes.
            clock: returns seconds; it never goes back.
        """
        ...
