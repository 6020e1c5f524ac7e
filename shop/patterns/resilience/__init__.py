"""Staying up while somebody else's server does not: deadlines, retries, circuit breakers.

Each is an object that is handed in and can be left out, and none of them knows whom it protects: not the payments
provider, not the web, not who counts what they do. They compose from the outside in: ``BoundedRetry`` around
``CircuitBreaker`` around a time limit around the call, so that each attempt is judged, and none is made that cannot
end in time.
"""

from shop.patterns.resilience.breaker import (
    BreakerConfig,
    BreakerState,
    CircuitBreaker,
    CircuitOpen,
    DependencyBreaker,
    NoBreaker,
)
from shop.patterns.resilience.budget import RetryBudget
from shop.patterns.resilience.deadlines import DeadlineExceeded, RequestDeadline
from shop.patterns.resilience.limits import CallTimeout, NoTimeout, TimeLimit
from shop.patterns.resilience.retry import BoundedRetry, NoRetry, RetryStrategy

__all__ = [
    "BoundedRetry",
    "BreakerConfig",
    "BreakerState",
    "CallTimeout",
    "CircuitBreaker",
    "CircuitOpen",
    "DeadlineExceeded",
    "DependencyBreaker",
    "NoBreaker",
    "NoRetry",
    "NoTimeout",
    "RequestDeadline",
    "RetryBudget",
    "RetryStrategy",
    "TimeLimit",
]
