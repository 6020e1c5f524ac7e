"""Checks of the exercise ``ttl-jitter``: lifetimes that differ, within their bounds.

The checks hand in the random numbers, so each expected lifetime is a plain number, and no check depends on luck.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten

TTLS_S = (10.0, 300.0, 21_600.0)
"""Seconds of three classes of the store: not-found responses, products, the category tree."""
TOLERANCE = 1e-9


def check_lifetime_function(jittered: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that ``jittered(draw)`` returns a function, whose numbers depend on ``draw`` alone."""
    lifetime = _make_lifetime(jittered, calls, lambda: 0.5, "lambda: 0.5")
    did = "jittered(lambda: 0.5)(300), twice"
    first, second = (_lifetime_s(lifetime, calls, did, 300.0) for _ in range(2))
    if first != second:
        came = f"{first:.1f} and then {second:.1f} seconds."
        look = "Take the random number from draw(): then a test can decide what is drawn."
        calls.fail(did, "the same lifetime twice, since draw() returns 0.5 both times.", came, look)


def check_bounds(jittered: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the lifetimes for the lowest, the middle and the highest random number."""
    low, high = 1 - rule.threshold, 1 + rule.threshold
    for draw, factor in ((0.5, 1.0), (0.0, low), (1.0, high)):
        lifetime = _make_lifetime(jittered, calls, partial(float, draw), f"lambda: {draw}")
        for ttl_s in TTLS_S:
            did = f"jittered(lambda: {draw})({ttl_s:g})"
            came = _lifetime_s(lifetime, calls, did, ttl_s)
            if not math.isclose(came, ttl_s * factor, rel_tol=TOLERANCE):
                look = f"A draw of 0, 0.5 and 1 gives {low:g}, 1 and {high:g} times the given seconds."
                calls.fail(did, f"{ttl_s * factor:g} seconds.", f"{shorten(came)} seconds.", look)


def check_own_draws(jittered: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that every lifetime has a random number of its own."""
    draws = [calls.rng.random() for _ in range(rule.repetitions)]
    unused = iter(draws)
    lifetime = _make_lifetime(jittered, calls, lambda: next(unused, 0.5), "draw")
    did = f"lifetime = jittered(draw), then lifetime(300) {len(draws)} times"
    lifetimes = [_lifetime_s(lifetime, calls, did, 300.0) for _ in draws]
    expected_s = [300.0 * (1 + rule.threshold * (2 * draw - 1)) for draw in draws]
    distinct = len(set(lifetimes))
    if distinct < len(draws):
        came = f"{distinct} different lifetimes; the first four are {_rounded(lifetimes)}."
        expected = f"{len(draws)} different lifetimes: draw() returns another number at each call."
        calls.fail(did, expected, came, "Call draw() once for each lifetime, and only there.")
    if not all(map(partial(math.isclose, rel_tol=TOLERANCE), lifetimes, expected_s)):
        came = f"the first four are {_rounded(lifetimes)}."
        look = "Use draw() for the randomness, and call it once for each lifetime: the check decides what it returns."
        calls.fail(did, f"one draw for each lifetime: the first four are {_rounded(expected_s)}.", came, look)


def _make_lifetime(
    jittered: Callable[..., Any], calls: AttemptCalls, draw: Callable[[], float], text: str
) -> Callable[..., Any]:
    did = f"jittered({text})"
    lifetime = calls.call(did, jittered, draw)
    if not callable(lifetime):
        expected = "a function that takes seconds and returns seconds."
        calls.fail(did, expected, f"{shorten(lifetime)}.", "Return the function itself; the cache calls it later.")
    made: Callable[..., Any] = lifetime
    return made


def _lifetime_s(lifetime: Callable[..., Any], calls: AttemptCalls, did: str, ttl_s: float) -> float:
    value = calls.call(did, lifetime, ttl_s)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        look = "Return the lifetime; a function without `return` returns None."
        calls.fail(did, "a number of seconds.", f"{shorten(value)}.", look)
    return value


def _rounded(lifetimes: list[float]) -> str:
    return ", ".join(f"{lifetime:.1f}" for lifetime in lifetimes[:4])


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "lifetime-function": check_lifetime_function,
    "bounds": check_bounds,
    "own-draws": check_own_draws,
}
