"""Retry budgets: limits for the attempts of all calls to one dependency.

Problem: three attempts a call are harmless while one call in a hundred fails. When all calls fail, three attempts are
three times the load on a server that is overloaded already, and it stays down after the cause is gone.
Method: a budget that all calls of the process share decides about each attempt. There are three of them:

- ``share``: a token bucket. Each call adds a fraction of a token, and each retry takes a whole one.
- ``quota``: a token bucket that only successes fill. A retry takes tokens, more of them if the server did not ask for
  fewer calls, and a success returns what its last retry took.
- ``throttle``: the client refuses attempts itself, the first ones too, when the server has answered less than half of
  the last attempts.

Switch: ``retry.budget``. Experiments: ``retry-budgets``, ``metastable-retries``.
Source: Google, "Site Reliability Engineering", ch. 21 (per-client retry budget, client-side throttling); Finagle's
``RetryBudget``; AWS, "Updated default retry behavior for AWS SDKs and tools" (2026), and botocore 1.44.
"""

import random
import threading
from collections.abc import Callable
from typing import Protocol

from shop.backoff import ExponentialBackoff
from shop.clock import Clock
from shop.patterns.resilience.sliding_window import SlidingWindow

BACKOFF = ExponentialBackoff(base_s=0.1, cap_s=2.0)
QUOTA_BACKOFF = ExponentialBackoff(base_s=0.05, cap_s=20.0)
THROTTLED_BACKOFF = ExponentialBackoff(base_s=1.0, cap_s=20.0)


class AttemptBudget(Protocol):
    """Decides about the attempts of all calls to one dependency; several threads may use it at once."""

    def admit_call(self) -> bool:
        """Count a call; return whether its first attempt may be made."""

    def withdraw(self, *, throttled: bool) -> float | None:
        """Pay for a retry.

        Args:
            throttled: whether the server has asked for fewer calls (status 429).

        Returns:
            What was paid; ``None`` if there may be no retry.
        """

    def record_success(self, paid: float) -> None:
        """Note that a call succeeded; ``paid`` was paid for its last retry, 0 without one."""

    def record_final_error(self) -> None:
        """Note that a call ended with an error that no retry can help: the dependency is not overloaded."""

    def backoff(self, *, throttled: bool) -> ExponentialBackoff:
        """Return the waits before retries."""


class RetryBudget:
    """A share of the calls may be retried.

    Args:
        share: retries for each call, in the long run: 0.1 is one retry for ten calls.
        reserve: tokens in the full bucket. The bucket starts full, so a process that calls seldom may retry as well.
        backoff: the waits before retries.
    """

    def __init__(self, share: float = 0.1, reserve: float = 10.0, backoff: ExponentialBackoff = BACKOFF) -> None:
        self._share = share
        self._reserve = reserve
        self._backoff = backoff
        self._tokens = reserve
        self._lock = threading.Lock()

    def admit_call(self) -> bool:
        """Add a call's fraction of a token; every call may be made."""
        with self._lock:
            self._tokens = min(self._reserve, self._tokens + self._share)
        return True

    def withdraw(self, *, throttled: bool = False) -> float | None:
        """Take one token for a retry."""
        with self._lock:
            if self._tokens < 1:
                return None
            self._tokens -= 1
            return 1.0

    def record_success(self, paid: float) -> None:
        """Do nothing: calls fill this bucket, and not successes."""

    def record_final_error(self) -> None:
        """Do nothing."""

    def backoff(self, *, throttled: bool) -> ExponentialBackoff:
        """Return the waits before retries."""
        return self._backoff


class RetryQuota:
    """Retries take tokens, and answers return them; the figures are those of the AWS SDKs.

    Args:
        capacity: tokens in the full bucket, with which it starts.
        transient: tokens for a retry after a failure.
        throttling: tokens for a retry after an answer that asked for fewer calls.
    """

    def __init__(self, capacity: float = 500.0, transient: float = 14.0, throttling: float = 5.0) -> None:
        self._capacity = self._tokens = capacity
        self._transient = transient
        self._throttling = throttling
        self._lock = threading.Lock()

    def admit_call(self) -> bool:
        """Return ``True``: every call may be made."""
        return True

    def withdraw(self, *, throttled: bool = False) -> float | None:
        """Take the tokens for a retry."""
        cost = self._throttling if throttled else self._transient
        with self._lock:
            if self._tokens < cost:
                return None
            self._tokens -= cost
            return cost

    def record_success(self, paid: float) -> None:
        """Return what the last retry took, or one token for a call without a retry."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + (paid or 1.0))

    def record_final_error(self) -> None:
        """Do nothing: only a success returns tokens."""

    def backoff(self, *, throttled: bool) -> ExponentialBackoff:
        """Return short waits after a failure, and long ones after an answer that asked for fewer calls."""
        return THROTTLED_BACKOFF if throttled else QUOTA_BACKOFF


class AdaptiveThrottle:
    """The client refuses attempts itself while the server answers few of them.

    With ``n`` attempts and ``a`` answers in the window, an attempt is refused with the probability
    ``max(0, (n - multiplier * a) / (n + 1))``. A refused attempt counts as well, so the client goes on refusing while
    its callers go on calling.

    Args:
        clock: measures the window.
        multiplier: with 2, the client sends at most about twice as many attempts as the server answers.
        window_s: seconds that attempts and answers count.
        chance: draws from 0 to 1.
    """

    def __init__(
        self,
        clock: Clock,
        multiplier: float = 2.0,
        window_s: float = 120.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._multiplier = multiplier
        self._chance = chance
        self._attempts, self._answers = SlidingWindow(window_s), SlidingWindow(window_s)
        self._lock = threading.Lock()

    def admit_call(self) -> bool:
        """Count a first attempt; return whether it may be made."""
        return self._admit()

    def withdraw(self, *, throttled: bool = False) -> float | None:
        """Count a retry; it costs nothing if it may be made."""
        return 0.0 if self._admit() else None

    def record_success(self, paid: float) -> None:
        """Count an answer."""
        self._count_answer()

    def record_final_error(self) -> None:
        """Count an answer: the call had its attempt, or the dependency was not asked."""
        self._count_answer()

    def backoff(self, *, throttled: bool) -> ExponentialBackoff:
        """Return the waits before retries."""
        return BACKOFF

    def _count_answer(self) -> None:
        with self._lock:
            self._answers.add(self._clock.monotonic(), failed=False, slow=False)

    def _admit(self) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            attempts, answers = self._attempts.totals(now).calls, self._answers.totals(now).calls
            self._attempts.add(now, failed=False, slow=False)
        refused_share = (attempts - self._multiplier * answers) / (attempts + 1)
        return self._chance() >= refused_share


class NoBudget:
    """The variant without a limit: a call has all its attempts."""

    def admit_call(self) -> bool:
        """Return ``True``."""
        return True

    def withdraw(self, *, throttled: bool = False) -> float | None:
        """Return 0: a retry costs nothing."""
        return 0.0

    def record_success(self, paid: float) -> None:
        """Do nothing."""

    def record_final_error(self) -> None:
        """Do nothing."""

    def backoff(self, *, throttled: bool) -> ExponentialBackoff:
        """Return the waits before retries."""
        return BACKOFF
