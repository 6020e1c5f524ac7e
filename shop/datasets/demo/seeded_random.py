"""Seeded random numbers, the same on every machine.

Each part of the data has a separate random generator, seeded with the part's name. So any part can be generated alone
and in any order: after a killed load, the next run generates only the missing parts, with the same rows.
"""

import math
from random import Random

FLATTENING = 2.7
"""Mandelbrot's correction of Zipf's law: the first ranks are less frequent than 1/rank."""


def generator(*name: object) -> Random:
    """Return the random generator of a part of the data. Python seeds from text the same way on every machine."""
    return Random("/".join(str(part) for part in name))


def zipf(draw: float, size: int) -> int:
    """Map a uniform draw from [0, 1) to a rank from [0, size), popular ranks first.

    The inverse of the distribution with density 1 / (rank + FLATTENING).
    """
    return min(size - 1, int(FLATTENING * (((size + FLATTENING) / FLATTENING) ** draw - 1)))


def zipf_share(rank: int, size: int) -> float:
    """Return the share of all draws for which :func:`zipf` returns the rank."""
    return math.log1p(1 / (rank + FLATTENING)) / math.log((size + FLATTENING) / FLATTENING)


class SeededShuffle:
    """A fixed, invertible permutation of ``range(size)`` that needs no memory.

    Args:
        size: the number of values.
        salt: selects one of the permutations.
    """

    def __init__(self, size: int, salt: int) -> None:
        self.size = size
        self._offset = salt % size
        step = max(1, int(size * 0.6180339887) + salt)  # with a step near the golden ratio, neighbours are far apart
        while math.gcd(step, size) != 1:
            step += 1
        self._step = step % size or 1
        self._inverse_step = pow(self._step, -1, size) if size > 1 else 0

    def __call__(self, value: int) -> int:
        """Return the permuted value."""
        return (value * self._step + self._offset) % self.size

    def inverse(self, permuted: int) -> int:
        """Return the value that is mapped to ``permuted``."""
        return (permuted - self._offset) * self._inverse_step % self.size
