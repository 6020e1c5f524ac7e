"""Lifetimes that differ a little, so that what was filled together does not expire together.

Problem: a deployment, an import or a flush fills thousands of keys within seconds; with equal lifetimes all of them
expire within the same seconds, again and again (an avalanche).
Method: each lifetime is drawn from 10 % around the policy's. The next round is spread over a fifth of the lifetime, the
one after that wider still.
Switch: ``cache.jitter``.
Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, on why equal periods line up.
"""

from collections.abc import Callable

SHARE = 0.1
"""Enough to spread a fill of seconds over a minute of a five-minute class; little enough that a class still says what
a reader may see at worst."""

Lifetime = Callable[[float], float]
"""From a policy's seconds to this entry's."""


def spread(ttl_s: float, draw: float, share: float = SHARE) -> float:
    """Return a lifetime within ``share`` of ``ttl_s``.

    Args:
        ttl_s: seconds.
        draw: a random number, 0 to 1, uniform.
        share: of the lifetime, to either side.
    """
    return ttl_s * (1 + share * (2 * draw - 1))


def jittered(draw: Callable[[], float]) -> Lifetime:
    """Return lifetimes spread by the numbers ``draw`` returns."""
    return lambda ttl_s: spread(ttl_s, draw())


def exact(ttl_s: float) -> float:
    """Return the policy's own lifetime."""
    return ttl_s


def hurried(lifetime: Lifetime, factor: float) -> Lifetime:
    """Return lifetimes multiplied by a factor, so that an experiment can watch entries expire."""
    return lambda ttl_s: factor * lifetime(ttl_s)
