"""Ends helper processes of a test, also if their start fails: the test has no reference to them then."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

KILL_TIMEOUT_S = 60


@contextmanager
def ended_on_failure(*ends: Callable[[], object]) -> Iterator[None]:
    """Call functions, last one first, if the block fails. The block waits until a started process answers.

    Args:
        ends: each one ends one started process.
    """
    try:
        yield
    except BaseException:
        for end in reversed(ends):
            end()
        raise


def kill_with_children(process: "subprocess.Popen[str]") -> None:
    """Kill a process and its children at once, as a power cut does: the guard of an experiment is one of them."""
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    process.kill()
    process.communicate(timeout=KILL_TIMEOUT_S)
