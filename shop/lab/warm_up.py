"""Tells when a store is warm: the share of visits that a cache answered no longer rises. Pure functions over samples.

Problem: a cold cache answers hardly anything, so a pattern measured before it is filled looks as if it were worth
nothing.
Method: two windows of equal length are compared. The rise counts together with its standard error, so a window of a few
visits does not pass for a level.
Source: Jain, "The Art of Computer Systems Performance Analysis", 25.3, "Transient Removal"; Agresti and Coull,
"Approximate Is Better than 'Exact'" (The American Statistician, 1998), for the error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shop.lab.load import LoadSamples

ORIGIN = "origin"
RISE_LIMIT = 0.06
"""A share that rose by no more than this, its standard error included, has settled."""
RISE_WHILE_MEASURED = 0.1
"""A share that rose by more than this while it was measured, beyond twice its standard error, had not settled."""


@dataclass(frozen=True)
class HitRateRise:
    """The share of visits a cache answered, in the first and in the second half of a load."""

    first: float
    second: float
    error: float
    """Standard error of the difference."""

    @classmethod
    def of(cls, samples: LoadSamples) -> "HitRateRise | None":
        """Compare the halves of a load by when visits were due; ``None`` where one of them was answered nothing."""
        middle = samples.seconds / 2
        visits = [(due, who) for due, who in zip(samples.due_s, samples.answered_by, strict=True) if who]
        halves = [[who for due, who in visits if (due < middle) is early] for early in (True, False)]
        if not all(halves):
            return None
        first, second = map(_hit_rate, halves)
        return cls(first, second, math.hypot(*map(_standard_error, halves)))

    @property
    def has_settled(self) -> bool:
        """Tell whether the second half may be taken for the level."""
        return self.second - self.first + self.error <= RISE_LIMIT

    @property
    def still_rose(self) -> bool:
        """Tell whether the rise is more than chance."""
        return self.second - self.first - 2 * self.error > RISE_WHILE_MEASURED

    def describe(self) -> str:
        """Return both shares, for a message."""
        return f"from {self.first:.0%} to {self.second:.0%}"


def _hit_rate(answered: Sequence[str]) -> float:
    return sum(who != ORIGIN for who in answered) / len(answered)


def _standard_error(answered: Sequence[str]) -> float:
    """Return the standard error of a hit rate; a hit and a miss are added, or few visits that all missed had none."""
    visits = len(answered) + 2
    share = (_hit_rate(answered) * len(answered) + 1) / visits
    return math.sqrt(share * (1 - share) / visits)
