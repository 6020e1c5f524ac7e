"""Exponential backoff: how long a caller waits after failures in a row, and where chance keeps callers out of step.

Method: the bound of the wait doubles with each failure up to a cap. With full jitter the wait is drawn from the entire
interval below the bound, with equal jitter from its upper half.
Source: Marc Brooker, "Exponential Backoff And Jitter" (AWS, 2015).
"""

import random
from dataclasses import dataclass

MAX_DOUBLINGS = 64
"""Every cap is long reached; 2.0 ** 1024 is not a float."""


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
        """Return the longest wait after that many failures in a row, from 1. Pure."""
        return float(min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, MAX_DOUBLINGS)))

    def full_jitter_s(self, failures: int) -> float:
        """Draw a wait evenly from 0 to the bound."""
        return random.uniform(0, self.bound_s(failures))

    def equal_jitter_s(self, failures: int, chance: float) -> float:
        """Return a wait from half the bound to the bound. Pure.

        Args:
            failures: 1 or more.
            chance: evenly from 0 to 1.
        """
        return self.bound_s(failures) * (0.5 + chance / 2)
