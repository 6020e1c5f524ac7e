"""Chance that comes out the same everywhere.

Every part of the data draws from a generator of its own, seeded by what the part is. So any part can be made alone,
again and in any order: a load that was killed makes only what is missing, and makes it as it would have been.
"""

import math
from random import Random

FLATTENING = 2.7
"""Mandelbrot's correction of Zipf's law: the most popular few are a little less ahead than 1/rank says."""


def generator(*what: object) -> Random:
    """Return the random generator of one part of the data; Python seeds from text the same way on every machine."""
    return Random("/".join(str(part) for part in what))


def zipf(draw: float, size: int) -> int:
    """Turn an even draw from [0, 1) into a rank from [0, size), popular ranks first.

    The inverse of the distribution with density 1 / (rank + FLATTENING).
    """
    return min(size - 1, int(FLATTENING * (((size + FLATTENING) / FLATTENING) ** draw - 1)))


def zipf_share(rank: int, size: int) -> float:
    """Return how large a share of all draws :func:`zipf` gives to one rank."""
    return math.log1p(1 / (rank + FLATTENING)) / math.log((size + FLATTENING) / FLATTENING)


class SeededShuffle:
    """A fixed, invertible reordering of ``range(size)`` that needs no memory.

    Args:
        size: how many places there are.
        salt: another salt, another order.
    """

    def __init__(self, size: int, salt: int) -> None:
        self.size = size
        self._offset = salt % size
        step = max(1, int(size * 0.6180339887) + salt)  # near the golden section, neighbours land far apart
        while math.gcd(step, size) != 1:
            step += 1
        self._step = step % size or 1
        self._back = pow(self._step, -1, size) if size > 1 else 0

    def __call__(self, place: int) -> int:
        """Return where a place goes."""
        return (place * self._step + self._offset) % self.size

    def inverse(self, place: int) -> int:
        """Return what comes to a place."""
        return (place - self._offset) * self._back % self.size
