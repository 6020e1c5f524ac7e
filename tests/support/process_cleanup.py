"""Ends helper processes of a test if their start fails: the test has no reference to them then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
