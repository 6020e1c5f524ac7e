"""When the next shopper comes, and what they look at: pure functions over a handed-in source of chance."""

import bisect
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

SHOPPERS_EXPONENT = 0.65
"""Of Zipf's law, as shoppers' demand has it: the 500 products a grocer sold most often in a year (the data set
``complete-journey``) fit 0.65, with 4.1 % of the purchases for the first and 16.7 % for the first ten."""
CLASSIC_EXPONENT = 1.0
"""As the law is usually quoted. Of 500 products the first is then wanted in 14.7 % of all visits, the first ten in
43 %: that flatters every cache."""

Arrivals = Literal["poisson", "constant"]


def arrival_times(kind: Arrivals, rate: float, duration_s: float, chance: random.Random) -> Iterator[float]:
    """Yield the moments at which requests are due, in seconds from the start, without an end before ``duration_s``.

    Args:
        kind: ``poisson`` for people who do not know of each other, ``constant`` for an even beat.
        rate: arrivals a second, above zero.
        duration_s: where the schedule ends.
        chance: where randomness comes from.
    """
    moment = 0.0
    while True:
        moment += chance.expovariate(rate) if kind == "poisson" else 1 / rate
        if moment >= duration_s:
            return
        yield moment


class ZipfDistribution(Generic[T]):
    """Chooses things by rank: the n-th is wanted in proportion to 1 / n to the power of the exponent.

    Args:
        things: the most wanted first; not empty.
        exponent: 0 wants all alike, 1 is the classic law; shoppers' is :data:`SHOPPERS_EXPONENT`.
    """

    def __init__(self, things: Sequence[T], exponent: float) -> None:
        self._things = things
        self._cumulated = list(itertools.accumulate(rank**-exponent for rank in range(1, len(things) + 1)))

    def share(self, count: int) -> float:
        """Return which share of all choices falls on the first so many, 0 to 1."""
        return float(self._cumulated[count - 1] / self._cumulated[-1])

    def choose(self, chance: random.Random) -> T:
        """Choose one."""
        point = chance.random() * self._cumulated[-1]
        return self._things[bisect.bisect_right(self._cumulated, point, hi=len(self._things) - 1)]


def think_time(median_s: float, spread: float, chance: random.Random) -> float:
    """Return how long a person looks at a page before the next click, in seconds.

    Log-normal: most are quick, some leave the tab open.

    Args:
        median_s: half of all think times are below it.
        spread: standard deviation of the logarithm; 0 makes every think time the median.
        chance: where randomness comes from.
    """
    return float(median_s * chance.lognormvariate(0.0, spread))
