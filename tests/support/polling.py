"""Waiting for what must happen soon, without guessing how soon."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE_S = 0.02
MOST_A_LOOK_S = 0.1
"""A look, or a wait for the next, counts as no longer than this: what goes beyond, the machine stood still."""


def until(condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """Return what the condition returns once that is true; fail if it never is."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(PAUSE_S)
    return found


def let_pass(seconds: float) -> None:
    """Wait so long, not counting the time in which this machine did nothing at all."""
    passed = 0.0
    while passed < seconds:
        began = time.monotonic()
        time.sleep(PAUSE_S)
        passed += min(time.monotonic() - began, MOST_A_LOOK_S)


def seconds_until(condition: Callable[[], object], timeout_s: float = 20.0) -> float:
    """Return how long it took until a condition was true, without the time in which this machine did nothing at all.

    Of a machine that stops for most of a second, as virtual ones do, nothing can be promised "within a second". A look
    that takes long shows it, whether this process was stopped or the one that is asked.
    """
    passed, last = 0.0, time.monotonic()
    deadline = last + timeout_s
    while not condition():
        time.sleep(PAUSE_S)
        now = time.monotonic()
        assert now < deadline, "it never happened"
        passed, last = passed + min(now - last, MOST_A_LOOK_S), now
    return passed
