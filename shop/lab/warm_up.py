"""Detects a warm cache: the hit rate no longer rises. Pure functions of samples.

Problem: a cold cache answers almost nothing, so a pattern looks worthless if it is measured before the cache is filled.
Method: compare two windows of equal length. The standard error is added to the rise, so a window with few visits does
not count as stable.
Source: Jain, "The Art of Computer Systems Performance Analysis", 25.3, "Transient Removal"; Agresti and Coull,
"Approximate Is Better than 'Exact'" (The American Statistician, 1998), for the error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shop.lab.load import LoadSamples

ORIGIN = "origin"
RISE_LIMIT = 0.06
"""A hit rate is stable if it rose by no more than this, its standard error included."""
RISE_WHILE_MEASURED = 0.1
"""A hit rate was not stable if it rose by more than this during the measurement, beyond twice its standard error."""


@dataclass(frozen=True)
class HitRateRise:
    """The hit rates of the first and of the second half of a load."""

    first: float
    second: float
    error: float
    """Standard error of the difference."""

    @classmethod
    def of(cls, samples: LoadSamples) -> "HitRateRise | None":
        """Compare the halves of a load by due time; ``None`` if one half has no answered visit."""
        middle = samples.seconds / 2
        visits = [(due, source) for due, source in zip(samples.due_s, samples.answered_by, strict=True) if source]
        halves = [[source for due, source in visits if (due < middle) is early] for early in (True, False)]
        if not all(halves):
            return None
        first, second = map(_hit_rate, halves)
        return cls(first, second, math.hypot(*map(_standard_error, halves)))

    @property
    def has_settled(self) -> bool:
        """Tell whether the hit rate is stable in the second half."""
        return self.second - self.first + self.error <= RISE_LIMIT

    @property
    def still_rose(self) -> bool:
        """Tell whether the rise is too large for chance."""
        return self.second - self.first - 2 * self.error > RISE_WHILE_MEASURED

    def describe(self) -> str:
        """Return both hit rates, for a message."""
        return f"from {self.first:.0%} to {self.second:.0%}"


def _hit_rate(sources: Sequence[str]) -> float:
    return sum(source != ORIGIN for source in sources) / len(sources)


def _standard_error(sources: Sequence[str]) -> float:
    """Return the standard error of a hit rate.

    One hit and one miss are added; otherwise a few visits that all missed would have no error.
    """
    visits = len(sources) + 2
    share = (_hit_rate(sources) * len(sources) + 1) / visits
    return math.sqrt(share * (1 - share) / visits)
