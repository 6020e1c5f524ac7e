"""Two values of a switch side by side, from the recorded requests of one Locust run. Pure functions of samples."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from shop.lab.charts import format_number
from shop.lab.statistics import FigureSpread, percentile

from .request_log import PERCENTS, RecordedRequest

IN_FRONT: Mapping[str, tuple[str, ...]] = {
    "cache.shared": ("cache.edge", "cache.local"),
    "cache.local": ("cache.edge",),
}
"""For the switch of a cache layer, those that answer before it. While they are on, its flip changes nothing."""
LABEL, CELL = 24, 24
"""Widths of the columns; the ratio takes the rest of 80."""

Figure = Callable[[Sequence[RecordedRequest], float], float | None]
"""Computes one figure of some requests; its second argument is the seconds in which they began."""


@dataclass(frozen=True)
class MeasuredWindow:
    """A time in which one value was in force and the store had settled.

    Args:
        value: of the switch.
        began: seconds since 1970.
        ended: seconds since 1970.
    """

    value: str
    began: float
    ended: float

    def select(self, requests: Iterable[RecordedRequest]) -> list[RecordedRequest]:
        """Return the requests that began in the window."""
        return [request for request in requests if self.began <= request.began < self.ended]


@dataclass(frozen=True)
class ComparedFigure:
    """A figure of both arms.

    Args:
        label: its name.
        cells: for each arm the figure over all its requests, and the lowest and the highest of its windows; ``None``
            if there was nothing to measure.
    """

    label: str
    cells: tuple[FigureSpread | None, FigureSpread | None]

    @property
    def ratio(self) -> float | None:
        """Return the second arm over the first; ``None`` if one of both is missing or zero."""
        first, second = (cell.median if cell else None for cell in self.cells)
        return second / first if first and second else None


@dataclass(frozen=True)
class ArmComparison:
    """What two values of a switch did.

    Args:
        switch: its name.
        values: the two values, in the order of the columns.
        figures: over all requests.
        medians: the median of each route, in milliseconds.
        failures: number of failures by reason, of both arms.
    """

    switch: str
    values: tuple[str, str]
    figures: Sequence[ComparedFigure]
    medians: Sequence[ComparedFigure]
    failures: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the document of ``--json``."""
        rows = [*self.figures, *self.medians]
        arms = {value: {row.label: _value(row.cells[at]) for row in rows} for at, value in enumerate(self.values)}
        return {
            "switch": self.switch,
            "arms": arms,
            "ratios": {row.label: row.ratio for row in rows},
            "failures": dict(self.failures),
        }


def arm_order(values: tuple[str, str], rounds: int) -> list[str]:
    """Return the values in turn, each round in the reverse order of the last: a slow drift then meets both alike.

    Args:
        values: of the switch.
        rounds: how often each is measured.
    """
    return [value for number in range(rounds) for value in (values if number % 2 == 0 else values[::-1])]


def compare_arms(
    switch: str, values: tuple[str, str], windows: Sequence[MeasuredWindow], requests: Sequence[RecordedRequest]
) -> ArmComparison:
    """Compare the requests of the windows of both values.

    Args:
        switch: its name.
        values: the two values, in the order of the columns.
        windows: at least one of each value.
        requests: of the whole run; those outside the windows are ignored.
    """
    first, second = ([window for window in windows if window.value == value] for value in values)
    seen = [request for window in windows for request in window.select(requests)]

    def compare(label: str, figure: Figure) -> ComparedFigure:
        return ComparedFigure(label, (_spread(figure, first, requests), _spread(figure, second, requests)))

    whole: dict[str, Figure] = {
        "requests/s": lambda chosen, seconds: len(chosen) / seconds,
        "failed %": lambda chosen, _: 100 * sum(bool(one.failure) for one in chosen) / len(chosen) if chosen else None,
        **{f"p{percent} ms": partial(_percentile, percent, "") for percent in PERCENTS},
    }
    return ArmComparison(
        switch,
        values,
        [compare(label, figure) for label, figure in whole.items()],
        [compare(route, partial(_percentile, 50, route)) for route in sorted({one.name for one in seen})],
        Counter(one.failure for one in seen if one.failure),
    )


def comparison_table(comparison: ArmComparison) -> str:
    """Return the comparison as a table of at most 80 columns."""
    lines = [_line(comparison.switch, comparison.values, "ratio")]
    lines += [_row(figure) for figure in comparison.figures]
    lines += ["", "Median of each route, ms", *map(_row, comparison.medians)]
    lines += [f"{count:,} failed: {reason}"[:80] for reason, count in comparison.failures.items()]
    return "\n".join(lines)


def _spread(
    figure: Figure, windows: Sequence[MeasuredWindow], requests: Sequence[RecordedRequest]
) -> FigureSpread | None:
    """Return a figure of all windows together, with the lowest and the highest of a single window."""
    pieces = [(window.select(requests), window.ended - window.began) for window in windows]
    together = figure([request for chosen, _ in pieces for request in chosen], sum(seconds for _, seconds in pieces))
    each = FigureSpread.of(figure(chosen, seconds) for chosen, seconds in pieces)
    return FigureSpread(together, each.low, each.high) if together is not None and each is not None else None


def _percentile(percent: float, route: str, chosen: Sequence[RecordedRequest], seconds: float) -> float | None:
    times = [request.ms for request in chosen if route in ("", request.name)]
    return percentile(times, percent) if times else None


def _row(figure: ComparedFigure) -> str:
    ratio = "" if figure.ratio is None else format_number(figure.ratio)
    return _line(figure.label, [_cell(cell) for cell in figure.cells], ratio)


def _cell(spread: FigureSpread | None) -> str:
    """Return a figure with the lowest and the highest window; what was not measured is blank."""
    if spread is None:
        return ""
    figure, low, high = map(format_number, (spread.median, spread.low, spread.high))
    return figure if low == high else f"{figure} ({low} to {high})"


def _line(label: str, cells: Sequence[str], ratio: str) -> str:
    first, second = cells
    return f"{label:<{LABEL}.{LABEL - 1}}{first:<{CELL}}{second:<{CELL}}{ratio}".rstrip()


def _value(spread: FigureSpread | None) -> float | None:
    return spread.median if spread else None
