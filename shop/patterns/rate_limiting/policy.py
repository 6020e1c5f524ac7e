"""What a rate limit says: the policy, the decision on one request, and the limiter that limits nobody.

Problem: the library that counts costs a process megabytes, and only those that serve requests need it.
Method: what the rest of the store speaks of stands here; the counting limiter stands in ``limiter.py``, which a web
process loads.
Source: Parnas, "On the Criteria To Be Used in Decomposing Systems into Modules".
"""

from dataclasses import dataclass
from typing import Literal, Protocol

WINDOW_S = 60

RateOutcome = Literal["admitted", "refused", "unchecked"]
"""``unchecked``: Valkey did not answer, so the request was admitted without a count."""


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """How many requests of one kind a client may send.

    Args:
        name: of the kind, as in the ``RateLimit`` header.
        quota: requests in a window.
        window_s: seconds of a window.
    """

    name: str
    quota: int
    window_s: int = WINDOW_S


@dataclass(frozen=True, slots=True)
class RateDecision:
    """The state of a client's window after one request.

    Args:
        policy: of the request.
        is_admitted: whether the request may be served.
        remaining: requests left in the window.
        reset_s: whole seconds until the window has surely ended.
    """

    policy: RatePolicy
    is_admitted: bool
    remaining: int
    reset_s: int


class RateLimiter(Protocol):
    """Counts the requests of clients."""

    def count_request(self, policy: RatePolicy, client: str) -> RateDecision | None:
        """Count one request of a client; ``None`` if requests are not limited now.

        Args:
            policy: of the kind of request.
            client: identifies the client.
        """

    def close(self) -> None:
        """Close the connections."""


class NoRateLimiter:
    """The variant without limits."""

    def count_request(self, policy: RatePolicy, client: str) -> RateDecision | None:
        """Return ``None``: nothing is counted."""
        return None

    def close(self) -> None:
        """Close nothing."""
