"""Calls to a server that may fail: deadlines, retries, circuit breakers.

Each mechanism is an object that is passed in, and each has a variant that does nothing. None of them imports the
payments provider, the web layer or the metrics. ``BoundedRetry`` wraps ``CircuitBreaker``, which wraps a time limit,
which wraps the call. So the breaker counts each attempt, and no attempt begins that cannot end in time.
"""

from shop.patterns.resilience.breaker import (
    BreakerConfig,
    BreakerState,
    CircuitBreaker,
    CircuitOpen,
    DependencyBreaker,
    NoBreaker,
)
from shop.patterns.resilience.deadlines import DeadlineExceeded, RequestDeadline
from shop.patterns.resilience.retry import BoundedRetry, CallRefused, NoRetry, RetryStrategy
from shop.patterns.resilience.retry_budget import (
    AdaptiveThrottle,
    AttemptBudget,
    NoBudget,
    RetryBudget,
    RetryQuota,
)
from shop.patterns.resilience.timeouts import CallTimeout, NoTimeout, TimeLimit

__all__ = [
    "AdaptiveThrottle",
    "AttemptBudget",
    "BoundedRetry",
    "BreakerConfig",
    "BreakerState",
    "CallRefused",
    "CallTimeout",
    "CircuitBreaker",
    "CircuitOpen",
    "DeadlineExceeded",
    "DependencyBreaker",
    "NoBreaker",
    "NoBudget",
    "NoRetry",
    "NoTimeout",
    "RequestDeadline",
    "RetryBudget",
    "RetryQuota",
    "RetryStrategy",
    "TimeLimit",
]
