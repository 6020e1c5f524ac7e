"""Prices of the demo store: log-normally distributed, with usual price endings."""

import math
from random import Random

CHEAP = 20_00
DEAR = 100_00
"""In cents. A price below CHEAP ends in .99, .49 or .95; a price above DEAR is near a multiple of ten euros."""
LOWEST = 79


def price_of(level: float, spread: float, random: Random) -> int:
    """Draw a price.

    Args:
        level: the median, in euros.
        spread: standard deviation of the logarithm.
        random: the random generator.

    Returns:
        Cents.
    """
    cents = level * 100 * math.exp(random.gauss(0, spread))
    return max(LOWEST, with_ending(int(cents), random.random()))


def with_ending(cents: int, draw: float) -> int:
    """Replace the ending of an amount in cents by a usual price ending; ``draw`` in [0, 1) selects it."""
    euros = cents // 100
    if cents < CHEAP:
        ending = 99 if draw < 0.5 else 49 if draw < 0.8 else 95
        return euros * 100 + ending
    if cents < DEAR:
        return euros * 100 + (99 if draw < 0.6 else 95 if draw < 0.8 else 0)
    return (euros // 10 * 10 + 9) * 100 + (0 if draw < 0.7 else 99)
