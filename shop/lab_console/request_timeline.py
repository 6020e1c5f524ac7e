"""The way of one request through the processes, from its log lines.

Problem: a list of log lines does not show which process waited for which.
Method: a line that ends a piece of work has its duration, so the piece has a beginning and an end; a line without a
duration is a moment. All are placed on one scale, in milliseconds since the first beginning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shop.patterns.observability import recent_requests

NOT_DETAILS = {
    *("ts", "level", "event", "request_id", "trace_id", "logger", "process", "method", "path", "route", "status"),
    *("duration_ms", "duration_s", "queries", "cache", "client"),
}
"""Fields that have a place of their own on the page, or say nothing about the way."""


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One log line on the scale.

    Args:
        process: the process that wrote it.
        title: the call, such as ``POST /charges``, or the event.
        status: HTTP status; ``None`` if the line has none.
        start_ms: beginning, since the first beginning.
        duration_ms: ``None`` for a moment.
        queries: database statements; ``None`` if the line does not count them.
        layers: entries of ``Cache-Status``, the nearest to the origin first.
        details: the other fields, as ``name=value``.
        is_problem: a warning, an error or a status of 500 and above.
    """

    process: str
    title: str
    status: int | None
    start_ms: float
    duration_ms: float | None
    queries: int | None
    layers: tuple[str, ...]
    details: tuple[str, ...]
    is_problem: bool

    @property
    def end_ms(self) -> float:
        """Return its end; that of a moment is its beginning."""
        return self.start_ms + (self.duration_ms or 0.0)


@dataclass(frozen=True, slots=True)
class RequestTimeline:
    """All steps of one request, the first beginning first."""

    steps: tuple[TimelineStep, ...]
    answered_by: str | None
    """The layer that answered; ``None`` if no line says so."""
    orders: tuple[str, ...]
    """Public ids of the orders named in the lines."""
    mails: tuple[str, ...]
    """``Message-ID`` of the mails named in the lines."""

    @property
    def length_ms(self) -> float:
        """Return the time from the first beginning to the last end."""
        return max((step.end_ms for step in self.steps), default=0.0)


def build_timeline(lines: Sequence[Mapping[str, Any]]) -> RequestTimeline:
    """Place log lines on one scale.

    Args:
        lines: of one request, from all processes, as ``find_request_lines`` returns them.
    """
    placed = sorted(((*_placed(line), line) for line in lines), key=lambda entry: entry[0])
    zero_ms = placed[0][0] if placed else 0.0
    return RequestTimeline(
        steps=tuple(_step(line, begin_ms - zero_ms, duration_ms) for begin_ms, duration_ms, line in placed),
        answered_by=next(map(_answering_layer, filter(_is_answer, lines)), None),
        orders=_distinct(lines, "order"),
        mails=_distinct(lines, "mail"),
    )


def _placed(line: Mapping[str, Any]) -> tuple[float, float | None]:
    """Return beginning, in milliseconds since 1970, and duration of a line, which is written at the end of the work."""
    end_ms = datetime.fromisoformat(str(line["ts"])).timestamp() * 1000
    duration_ms = line["duration_s"] * 1000 if "duration_s" in line else line.get("duration_ms")
    return end_ms - (duration_ms or 0.0), duration_ms


def _step(line: Mapping[str, Any], start_ms: float, duration_ms: float | None) -> TimelineStep:
    status = line.get("status")
    return TimelineStep(
        process=str(line["process"]),
        title=f"{line['method']} {line.get('path', '')}" if "method" in line else str(line.get("event", "")),
        status=status,
        start_ms=start_ms,
        duration_ms=duration_ms,
        queries=line.get("queries"),
        layers=_layers(line),
        details=tuple(
            f"{name}={value}" for name, value in line.items() if name not in NOT_DETAILS and value not in ("", [], None)
        ),
        is_problem=line.get("level") in ("warning", "error", "critical") or (status or 0) >= 500,
    )


def _is_answer(line: Mapping[str, Any]) -> bool:
    """Return whether the layer in this line answered: the application, or the edge from its cache."""
    is_edge_hit = any(entry.startswith("shop-edge; hit") for entry in _layers(line))
    return is_edge_hit or (line.get("event") == "request" and "queries" in line)


def _answering_layer(line: Mapping[str, Any]) -> str:
    return recent_requests.answering_layer({**line, "cache": list(_layers(line))})


def _layers(line: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the entries of ``Cache-Status``; the edge's line has one, as text."""
    entries = line.get("cache") or ()
    return (entries,) if isinstance(entries, str) else tuple(entries)


def _distinct(lines: Sequence[Mapping[str, Any]], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(line[field]) for line in lines if line.get(field)))
