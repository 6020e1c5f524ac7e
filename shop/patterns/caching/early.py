"""Probabilistic early expiration: now and then a reader refreshes what is about to expire, the sooner the costlier.

Problem: a hot entry's expiry is one moment for everybody: all who come while it is loaded again find nothing.
Method (XFetch): each reader draws by how much it thinks itself ahead of the clock, from an exponential distribution
scaled by what a load takes. Whoever thinks the entry expired refreshes it; the others keep serving. Nobody has to agree
on anything, so nothing can be lost or be waited for.
What it does not do: an entry nobody has yet, or that was invalidated, is not about to expire; and several may draw
early at once (2.7 on average at beta 1, by the paper). So ``lock+early`` lets only one of them load.
Switch: ``cache.stampede``, ``early`` and ``lock+early``.
Source: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
"""

import math

BETA = 1.0
"""The paper's optimum where a load too early costs as much as a wait; larger refreshes sooner."""


def refresh_at(fresh_until: float, load_s: float, draw: float, beta: float = BETA) -> float:
    """Return the moment from which this reader takes the entry for expired, never after it really is.

    Args:
        fresh_until: when it expires, unix time in seconds.
        load_s: what the last load took, in seconds.
        draw: a random number, 0 to 1, uniform.
        beta: how eager readers are.
    """
    return fresh_until + load_s * beta * math.log(max(draw, math.ulp(0.0)))
