"""The interface of the exercise ``ttl-jitter``."""

from collections.abc import Callable
from typing import Protocol


class LifetimeFunction(Protocol):
    """Decides the lifetime of each entry."""

    def __call__(self, ttl_s: float, /) -> float:
        """Return the lifetime of one entry, in seconds.

        Args:
            ttl_s: the lifetime of its class, in seconds.
        """
        ...


class JitterFactory(Protocol):
    """Builds the function when a process of the store starts."""

    def __call__(self, draw: Callable[[], float]) -> LifetimeFunction:
        """Return the function that decides lifetimes.

        Args:
            draw: returns a random number from 0 to 1, another one at each call.
        """
        ...
