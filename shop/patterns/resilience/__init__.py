"""Staying up while somebody else's server does not: deadlines, retries, circuit breakers.

Each is an object that is handed in and can be left out, and none of them knows whom it protects: not the payments
provider, not the web, not who counts what they do. They compose from the outside in: ``Retry`` around
``CircuitBreaker`` around a time limit around the call, so that each attempt is judged, and none is made that cannot
end in time.
"""

from shop.patterns.resilience.breaker import AlwaysClosed, Breaker, CircuitBreaker, CircuitOpen, Rules, State
from shop.patterns.resilience.budget import Budget
from shop.patterns.resilience.deadlines import Deadline, DeadlineExceeded
from shop.patterns.resilience.limits import Limited, TimeLimit, Unlimited
from shop.patterns.resilience.retry import Once, Retries, Retry

__all__ = [
    "AlwaysClosed",
    "Breaker",
    "Budget",
    "CircuitBreaker",
    "CircuitOpen",
    "Deadline",
    "DeadlineExceeded",
    "Limited",
    "Once",
    "Retries",
    "Retry",
    "Rules",
    "State",
    "TimeLimit",
    "Unlimited",
]
