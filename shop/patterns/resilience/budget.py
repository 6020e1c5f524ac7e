"""A retry budget: retries may be a share of the calls, and no more.

Three attempts a call are harmless while one call in a hundred fails. When all fail, they are three times the load on a
server that could not carry the load it had. A token bucket makes the share hold whatever happens: each call puts a
fraction of a token in, each retry takes a whole one out.
Source: Google, "Site Reliability Engineering", ch. 21, per-client retry budget; Finagle's ``RetryBudget``.
"""

import threading


class RetryBudget:
    """A token bucket shared by every call to one dependency.

    Args:
        share: retries allowed for each call, in the long run: 0.1 is one retry for ten calls.
        reserve: tokens in the full bucket, where it starts: what a process that calls seldom may still retry.
    """

    def __init__(self, share: float = 0.1, reserve: float = 10.0) -> None:
        self._share = share
        self._reserve = reserve
        self._tokens = reserve
        self._lock = threading.Lock()

    def deposit(self) -> None:
        """Note a call's first attempt."""
        with self._lock:
            self._tokens = min(self._reserve, self._tokens + self._share)

    def withdraw(self) -> bool:
        """Take what one retry costs; tell whether it was there."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
