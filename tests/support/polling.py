"""Waits for a condition, without a fixed sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE_S = 0.02
MAX_COUNTED_S = 0.1
"""A check, or the pause after it, counts as at most this long: during the rest the machine stood still."""


def until(condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """Return the first true value of the condition; fail after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(PAUSE_S)
    return found


def let_pass(seconds: float) -> None:
    """Wait for a time; a time in which the machine stood still does not count."""
    passed = 0.0
    while passed < seconds:
        began = time.monotonic()
        time.sleep(PAUSE_S)
        passed += min(time.monotonic() - began, MAX_COUNTED_S)


def seconds_until(condition: Callable[[], object], timeout_s: float = 20.0) -> float:
    """Return the seconds until a condition was true, without the time in which the machine stood still.

    Of a machine that stops for most of a second, as virtual ones do, nothing can be promised "within a second". A look
    that takes long shows it, whether this process was stopped or the one that is asked.
    """
    passed, last = 0.0, time.monotonic()
    deadline = last + timeout_s
    while not condition():
        time.sleep(PAUSE_S)
        now = time.monotonic()
        assert now < deadline, "it never happened"
        passed, last = passed + min(now - last, MAX_COUNTED_S), now
    return passed
