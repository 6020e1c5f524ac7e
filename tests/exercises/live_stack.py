"""The one stack on which answers run live: the store as a reader has it, with a supervisor and a worker."""

from shop.exercises.definition import ATTEMPT
from tests.support.process_cleanup import ended_on_failure
from tests.support.stack_instance import StackInstance

REFRESH_S = 0.1
"""Seconds between two reads of the switches, in each process of the store."""


def start_stack(home):
    """Return a running stack with a small data set, in this directory."""
    stack = StackInstance(home)
    with ended_on_failure(lambda: stack.shop("down")):
        stack.up("--size", "s", "--workers", "2", SHOP_SWITCH_REFRESH_S=str(REFRESH_S))
    return stack


def attempts_of(stack):
    """Return the folder of the attempts; another account than that of the test may run the store."""
    return stack.var / "attempts"


def write_attempt(stack, exercise, text):
    """Write the reader's file of an exercise, and return its path."""
    path = attempts_of(stack) / exercise.name / ATTEMPT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
