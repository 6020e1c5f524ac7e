"""Exercise 04: lifetimes with jitter. Complete `jittered`, then run `bin/shop exercise check 4`."""

from collections.abc import Callable


def jittered(draw: Callable[[], float]) -> Callable[[float], float]:
    """Return a function from the lifetime of a class to the lifetime of one entry, both in seconds.

    Args:
        draw: returns a random number from 0 to 1, another one at each call.
    """

    def lifetime(ttl_s: float) -> float:
        return ttl_s  # every entry of a class lives equally long

    return lifetime
