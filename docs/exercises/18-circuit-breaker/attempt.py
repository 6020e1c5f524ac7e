"""Exercise 18: a circuit breaker. Complete `CircuitBreaker`, then run `bin/shop exercise check 18`."""

from collections.abc import Callable
from typing import Any

from shop.exercises.interfaces.circuit_breaker import BreakerLimits
from shop.patterns.resilience import CircuitOpen  # noqa: F401 - raise it to refuse a call


class CircuitBreaker:
    """Makes or refuses the calls to one dependency.

    Args:
        limits: `failure_rate`, `min_calls`, `window_s`, `open_s` and `trials`; see the page.
        clock: returns seconds; it never goes back.
    """

    def __init__(self, limits: BreakerLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock

    def call(self, work: Callable[[], Any], is_failure: Callable[[Exception], bool | None]) -> Any:
        """Make the call and return its value, or refuse it with `CircuitOpen`.

        Args:
            work: the call.
            is_failure: returns whether an exception of the call is a failure of the dependency.
        """
        return work()  # every call is made, whatever happened before
