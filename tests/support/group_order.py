"""The order in which groups and single tests are handed out to the processes of a run."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
SPREAD = 0.8
"""Share of the single tests among which the groups begin. The rest is at the end, so that no process waits for a group
that began last."""


def spread_groups(groups: Sequence[Sequence[T]], single: Sequence[T]) -> list[T]:
    """Return all tests in order, with an equal number of single tests after each group.

    Groups mostly wait, for servers that start; single tests use the processor all the time. If all groups came first,
    every process would wait at once, and afterwards all of them would wait for the processor.

    Args:
        groups: tests that run in one process, after each other.
        single: tests that run in any process.
    """
    step = int(len(single) * SPREAD / len(groups)) if groups else 0
    ordered: list[T] = []
    for number, group in enumerate(groups):
        ordered += [*group, *single[number * step : (number + 1) * step]]
    return ordered + list(single[len(groups) * step :])
