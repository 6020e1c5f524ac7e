"""Exponential backoff with jitter: the wait before the next attempt after several failures in a row.

Method: the bound of the wait doubles with each failure, up to a cap. The wait is random, so that callers that failed
together do not retry together. Full jitter draws it from 0 to the bound, equal jitter from half the bound to the bound.
Source: Marc Brooker, "Exponential Backoff And Jitter" (AWS, 2015).
"""

import random
from dataclasses import dataclass

MAX_DOUBLINGS = 64
"""Every cap is reached long before; 2.0 ** 1024 would overflow a float."""


@dataclass(frozen=True, slots=True)
class ExponentialBackoff:
    """The waits between attempts, in seconds.

    Args:
        base_s: the bound of the first wait; each further bound is twice as large.
        cap_s: the largest bound.
    """

    base_s: float
    cap_s: float

    def bound_s(self, failures: int) -> float:
        """Return the longest wait in seconds after ``failures`` failures in a row (1 or more). Pure."""
        return float(min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, MAX_DOUBLINGS)))

    def full_jitter_s(self, failures: int) -> float:
        """Return a random wait in seconds, from 0 to the bound."""
        return random.uniform(0, self.bound_s(failures))

    def equal_jitter_s(self, failures: int, chance: float) -> float:
        """Return a wait in seconds, from half the bound to the bound. Pure.

        Args:
            failures: 1 or more.
            chance: a random number, 0 to 1, uniform.
        """
        return self.bound_s(failures) * (0.5 + chance / 2)
