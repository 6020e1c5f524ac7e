"""What each way shows: Locust's figure, and the true one of the same run."""

from collections.abc import Sequence
from dataclasses import dataclass

LABEL, CELL = 50, 15
"""Widths of the columns; a table has 80."""


@dataclass(frozen=True)
class MisleadingFigure:
    """One figure twice.

    Args:
        label: its name.
        locust: as Locust reports it.
        actual: as the server, or the client's own clock, has measured it in the same run.
        unit: of both.
    """

    label: str
    locust: float
    actual: float
    unit: str = ""


@dataclass(frozen=True)
class MisleadingWay:
    """A way in which Locust's figures mislead.

    Args:
        title: its name.
        measured_by: where the true figure is from: ``server`` or ``client``.
        figures: of the run.
        instead: what to use instead, in lines of at most 80 columns.
    """

    title: str
    measured_by: str
    figures: Sequence[MisleadingFigure]
    instead: Sequence[str]


def way_table(way: MisleadingWay) -> str:
    """Return a way as a table of at most 80 columns, with what to use instead."""
    return "\n".join([figures_table(way), *way.instead])


def figures_table(way: MisleadingWay) -> str:
    """Return the figures of a way as a table of at most 80 columns."""
    head = f"{way.title:<{LABEL}}{'Locust':>{CELL}}{way.measured_by:>{CELL}}"
    rows = [
        f"{one.label:<{LABEL}}{_show(one.locust, one.unit):>{CELL}}{_show(one.actual, one.unit):>{CELL}}"
        for one in way.figures
    ]
    return "\n".join([head, *rows])


def _show(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{number} {unit}".rstrip()
