"""A retry budget: it limits retries to a share of the calls.

Three attempts a call are harmless while one call in a hundred fails. When all calls fail, three attempts are three
times the load on a server that is overloaded already. A token bucket enforces the share: each call adds a fraction of a
token, and each retry removes a whole token.
Source: Google, "Site Reliability Engineering", ch. 21, per-client retry budget; Finagle's ``RetryBudget``.
"""

import threading


class RetryBudget:
    """A token bucket, shared by all calls to one dependency.

    Args:
        share: retries for each call, in the long run: 0.1 is one retry for ten calls.
        reserve: tokens in the full bucket. The bucket starts full, so a process that calls seldom may retry as well.
    """

    def __init__(self, share: float = 0.1, reserve: float = 10.0) -> None:
        self._share = share
        self._reserve = reserve
        self._tokens = reserve
        self._lock = threading.Lock()

    def deposit(self) -> None:
        """Add a call's fraction of a token, at its first attempt."""
        with self._lock:
            self._tokens = min(self._reserve, self._tokens + self._share)

    def withdraw(self) -> bool:
        """Remove one token for a retry; return whether there was one."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
