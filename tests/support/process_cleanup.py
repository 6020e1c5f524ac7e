"""Starting what a test runs beside itself: where that fails, the test has no hold of it and could not end it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ended_on_failure(*ends: Callable[[], object]) -> Iterator[None]:
    """Wait in the block until what was started answers; if the block fails, end that, the last one first.

    Args:
        ends: end what was started, each one thing.
    """
    try:
        yield
    except BaseException:
        for end in reversed(ends):
            end()
        raise
