"""Staying up while somebody else's server does not: deadlines, retries, circuit breakers.

Each is an object that is handed in and can be left out, and none of them knows whom it protects: not the payments
provider, not the web, not who counts what they do. They compose from the outside in: ``Retry`` around
``CircuitBreaker`` around a time limit around the call, so that each attempt is judged, and none is made that cannot
end in time.
"""

from shop.patterns.resilience.deadlines import Deadline, DeadlineExceeded
from shop.patterns.resilience.limits import Limited, TimeLimit, Unlimited

__all__ = ["Deadline", "DeadlineExceeded", "Limited", "TimeLimit", "Unlimited"]
