"""Arrival times, product popularity and think times: pure functions of a given random generator."""

import bisect
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

SHOPPERS_EXPONENT = 0.65
"""Exponent of Zipf's law for real demand. The 500 best-selling products of a grocer in one year (the data set
``complete-journey``) fit 0.65: the first product has 4.1 % of the purchases, and the first ten have 16.7 %."""
CLASSIC_EXPONENT = 1.0
"""The exponent of the textbooks. Of 500 products, the first then gets 14.7 % of all visits, and the first ten get
43 %. With this exponent, every cache looks better than it is."""

Arrivals = Literal["poisson", "constant"]


def arrival_times(kind: Arrivals, rate: float, duration_s: float, rng: random.Random) -> Iterator[float]:
    """Yield the times at which requests are due, in seconds from the start, all before ``duration_s``.

    Args:
        kind: ``poisson`` for independent arrivals, ``constant`` for equal intervals.
        rate: arrivals a second, above zero.
        duration_s: the end of the schedule.
        rng: the source of randomness.
    """
    due = 0.0
    while True:
        due += rng.expovariate(rate) if kind == "poisson" else 1 / rate
        if due >= duration_s:
            return
        yield due


class ZipfDistribution(Generic[T]):
    """Chooses an item by rank: the n-th has a probability in proportion to 1 / n to the power of the exponent.

    Args:
        items: the most popular first; not empty.
        exponent: 0 makes all items equally popular, 1 is the classic law; real demand is :data:`SHOPPERS_EXPONENT`.
    """

    def __init__(self, items: Sequence[T], exponent: float) -> None:
        self._items = items
        self._cumulated = list(itertools.accumulate(rank**-exponent for rank in range(1, len(items) + 1)))

    def share(self, count: int) -> float:
        """Return the share of all choices that the ``count`` most popular items get, from 0 to 1."""
        return float(self._cumulated[count - 1] / self._cumulated[-1])

    def choose(self, rng: random.Random) -> T:
        """Choose one item."""
        point = rng.random() * self._cumulated[-1]
        return self._items[bisect.bisect_right(self._cumulated, point, hi=len(self._items) - 1)]


def think_time(median_s: float, spread: float, rng: random.Random) -> float:
    """Return how long a person looks at a page before the next click, in seconds.

    The distribution is log-normal: most people are quick, and a few leave the page open for long.

    Args:
        median_s: half of all think times are below it.
        spread: standard deviation of the logarithm; 0 makes every think time the median.
        rng: the source of randomness.
    """
    return float(median_s * rng.lognormvariate(0.0, spread))
