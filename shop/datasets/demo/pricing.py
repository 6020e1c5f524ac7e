"""Prices as shops set them: log-normal around a level, with the endings that are said to sell."""

import math
from random import Random

CHEAP = 20_00
DEAR = 100_00
"""In cents. Below the one, tens of cents count; above the other, nobody looks at cents."""
LOWEST = 79


def price_of(level: float, spread: float, random: Random) -> int:
    """Draw a price.

    Args:
        level: the median, in euros.
        spread: standard deviation of the logarithm.
        random: where the luck comes from.

    Returns:
        Cents.
    """
    cents = level * 100 * math.exp(random.gauss(0, spread))
    return max(LOWEST, with_ending(int(cents), random.random()))


def with_ending(cents: int, luck: float) -> int:
    """Give an amount in cents the ending of a price tag; ``luck`` in [0, 1) chooses among the usual ones."""
    euros = cents // 100
    if cents < CHEAP:
        ending = 99 if luck < 0.5 else 49 if luck < 0.8 else 95
        return euros * 100 + ending
    if cents < DEAR:
        return euros * 100 + (99 if luck < 0.6 else 95 if luck < 0.8 else 0)
    return (euros // 10 * 10 + 9) * 100 + (0 if luck < 0.7 else 99)
