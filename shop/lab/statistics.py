"""Percentiles of raw samples, and the spread of a figure over runs. Percentiles are never averaged."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the percentile by linear interpolation between the two nearest samples (numpy's default).

    Args:
        samples: raw samples in any order; not empty.
        percent: 0 to 100.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("no samples, no percentile")
    ordered = sorted(samples)
    position = (len(ordered) - 1) * percent / 100
    low, high = ordered[math.floor(position)], ordered[math.ceil(position)]
    return low + (high - low) * (position - math.floor(position))


@dataclass(frozen=True, slots=True)
class FigureSpread:
    """One figure over several runs: the median, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Iterable[float | None]) -> "FigureSpread | None":
        """Return the spread of one figure a run, without the runs that lack it; ``None`` if every run lacks it."""
        known = [figure for figure in figures if figure is not None]
        return cls(statistics.median(known), min(known), max(known)) if known else None
