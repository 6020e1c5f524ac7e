"""The store's circuit breaker in the form of the exercise ``circuit-breaker``."""

import math
from collections.abc import Callable

from shop.exercises.interfaces.circuit_breaker import BreakerLimits
from shop.exercises.store_defaults.handed_in_clock import HandedInClock
from shop.patterns.resilience import BreakerConfig, CircuitBreaker


def circuit_breaker(limits: BreakerLimits, clock: Callable[[], float]) -> CircuitBreaker:
    """Return the store's breaker, for which no call is slow.

    Args:
        limits: when it opens and closes.
        clock: measures window and pause.
    """
    config = BreakerConfig(
        slow_s=math.inf,
        min_calls=limits.min_calls,
        open_s=limits.open_s,
        failure_rate=limits.failure_rate,
        window_s=limits.window_s,
        probes=limits.trials,
    )
    return CircuitBreaker("exercise", config, HandedInClock(clock))
