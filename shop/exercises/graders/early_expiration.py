"""Checks of the exercise ``early-expiration``: XFetch.

The checks hand in the random numbers, so each expected time is a plain number. One check plays the readers of a hot
entry around its expiry, with drawn numbers; its bound is far from what the right function needs.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten

FRESH_UNTIL = 1000.0
LOAD_S = 0.2
READERS_A_LOAD = 8
"""Readers that come within the time of one load."""
LOADS_BEFORE = 4
"""The readers begin so many load times before the expiry."""
TOLERANCE_S = 1e-6
PAGE = "docs/exercises/11-early-expiration/README.md"


class PlayedExpiry(NamedTuple):
    """One expiry of a hot entry."""

    loads: int
    """The readers that loaded."""
    lead_s: float
    """Seconds before the expiry at which the first of them began; 0 if it found an expired entry."""


def check_never_late(xfetch: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that each draw gives a time, and none after the expiry."""
    for draw in (1.0, 0.5, 0.0):
        did, value = _call(xfetch, calls, draw=draw)
        if value > FRESH_UNTIL + TOLERANCE_S:
            came = f"{value:.4f}, which is {value - FRESH_UNTIL:.4f} s after the expiry."
            look = "The logarithm of a number below 1 is negative. Does your sign turn it round once more?"
            calls.fail(did, f"a time of at most {FRESH_UNTIL:.4f}, the expiry.", came, look)


def check_load_time(xfetch: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that an entry which takes twice as long to load is refreshed twice as early."""
    _, short = _call(xfetch, calls, draw=0.5)
    did, long = _call(xfetch, calls, draw=0.5, load_s=2 * LOAD_S)
    expected_s, came_s = 2 * (FRESH_UNTIL - short), FRESH_UNTIL - long
    if not _is_close(came_s, expected_s):
        expected = f"{expected_s:.4f} s before the expiry: twice as early as for a load of {LOAD_S:g} s."
        look = "How early is enough? A refresh that takes two seconds has to begin earlier than one of 20 milliseconds."
        calls.fail(did, expected, f"{came_s:.4f} s before the expiry.", look)


def check_hot_key(xfetch: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that few of the readers around an expiry load."""
    step_s = LOAD_S / READERS_A_LOAD
    played = [_play_expiry(xfetch, calls, step_s) for _ in range(rule.repetitions)]
    mean_loads = sum(one.loads for one in played) / len(played)
    if mean_loads > rule.threshold:
        did = (
            f"{len(played)} expiries of a hot entry whose load takes {LOAD_S:g} s: a reader every {step_s:g} s, from "
            f"{LOADS_BEFORE * LOAD_S:g} s before the expiry to the end of the first load, each with a draw of its own"
        )
        lead_s = sum(one.lead_s for one in played) / len(played)
        came = f"{mean_loads:.1f} readers loaded at an expiry; the first one began {lead_s:.2f} s before."
        look = "If all readers decide at the same moment, all of them load. The draw has to separate them."
        calls.fail(did, f"at most {rule.threshold:g} readers load at an expiry, on average.", came, look)


def check_draw(xfetch: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the time for several draws."""
    for draw in (0.5, 0.1, 0.9):
        did, value = _call(xfetch, calls, draw=draw)
        look = f"The gap is longer than x load times exactly if the draw is below e to the power of -x: see {PAGE}."
        _expect_gap(calls, did, -LOAD_S * math.log(draw), FRESH_UNTIL - value, look)


def check_beta(xfetch: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that beta multiplies the gap."""
    for beta in (2.0, 0.5):
        did, value = _call(xfetch, calls, draw=0.5, beta=beta)
        look = "beta is a factor of the gap, as the load time is."
        _expect_gap(calls, did, LOAD_S * beta * math.log(2), FRESH_UNTIL - value, look)


def _play_expiry(xfetch: Callable[..., Any], calls: AttemptCalls, step_s: float) -> PlayedExpiry:
    """Let readers come one after the other until the first load has ended."""
    loads, began, reader = 0, math.inf, -READERS_A_LOAD * LOADS_BEFORE
    while (now := FRESH_UNTIL + reader * step_s) < began + LOAD_S - TOLERANCE_S:
        due = now >= FRESH_UNTIL or now >= _call(xfetch, calls, draw=calls.rng.random())[1]
        if due:
            loads, began = loads + 1, min(began, now)
        reader += 1
    return PlayedExpiry(loads, max(0.0, FRESH_UNTIL - began))


def _call(
    xfetch: Callable[..., Any], calls: AttemptCalls, *, draw: float, load_s: float = LOAD_S, beta: float = 1.0
) -> tuple[str, float]:
    """Return the text of a call, and the time that it returned."""
    did = f"xfetch(fresh_until={FRESH_UNTIL:g}, load_s={load_s:g}, draw={draw:.4g}, beta={beta:g})"
    value = calls.call(did, xfetch, FRESH_UNTIL, load_s, draw, beta)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        calls.fail(did, "a time: a number of seconds.", f"{shorten(value)}.", "Return the time, not whether it is due.")
    return did, float(value)


def _expect_gap(calls: AttemptCalls, did: str, expected_s: float, came_s: float, look: str) -> None:
    if not _is_close(came_s, expected_s):
        calls.fail(did, f"{expected_s:.4f} s before the expiry.", f"{came_s:.4f} s before the expiry.", look)


_is_close = partial(math.isclose, abs_tol=TOLERANCE_S)


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "never-late": check_never_late,
    "load-time": check_load_time,
    "hot-key": check_hot_key,
    "draw": check_draw,
    "beta": check_beta,
}
