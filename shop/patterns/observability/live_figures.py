"""The live figures of the lab: rates, percentiles and shares between two readings of the store's sums."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shop.patterns.observability.answering_layer import BROWSER, EDGE
from shop.patterns.observability.live_sums import WebSums

LONGEST_S = 5.0
"""A longer time between two readings is a gap: no page was open. A mean over it would hide what happens now."""
EDGE_IDLE_S = 2.5
"""The edge writes its sums after each second with a response: older ones mean that there was none since."""
EDGE_SPAN_S = 1.5
"""Sums that follow after a longer time are of the last moments of it: before, there was no response."""
Durations = Mapping[float, int]
"""Upper bound in seconds to the number of requests between the bound before and this one."""


@dataclass(frozen=True, slots=True)
class EdgeReading:
    """Sums of the edge, which writes them about once a second."""

    at: float
    """Unix time in seconds at which they were written."""
    requests: int
    failed: int
    hits: int
    not_modified: int
    """Hits with status 304."""
    lookups: int
    """Look-ups that reached the cache."""
    durations: Durations


@dataclass(frozen=True, slots=True)
class SumsReading:
    """All sums at one moment."""

    at: float
    """Unix time in seconds."""
    web: WebSums
    edge: EdgeReading | None = None


@dataclass(frozen=True, slots=True)
class LivePoint:
    """What the store did between two readings."""

    at: float
    """Unix time in seconds of its end."""
    seconds: float
    requests_per_s: float
    errors_per_s: float
    queries_per_s: float
    p50_ms: float | None
    """``None`` without a request."""
    p95_ms: float | None
    in_flight: int
    answers: Mapping[str, int] = field(default_factory=dict)
    """Layer to the number of requests that it answered."""
    lookups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Cache layer to its look-ups, and those of them that were hits."""

    def to_json(self) -> dict[str, Any]:
        """Return the point as a JSON document."""
        return {
            "at": round(self.at, 3),
            "seconds": round(self.seconds, 3),
            "requests": round(self.requests_per_s, 1),
            "errors": round(self.errors_per_s, 1),
            "queries": round(self.queries_per_s, 1),
            "p50": self.p50_ms if self.p50_ms is None else round(self.p50_ms, 1),
            "p95": self.p95_ms if self.p95_ms is None else round(self.p95_ms, 1),
            "in_flight": self.in_flight,
            "answers": dict(self.answers),
            "lookups": {name: list(pair) for name, pair in self.lookups.items()},
        }


def point_between(before: SumsReading, after: SumsReading, edge_before: EdgeReading | None = None) -> LivePoint | None:
    """Return what happened between two readings.

    With an edge in front, requests, errors and durations are those of the edge, as shoppers see them.

    Args:
        before: the earlier reading.
        after: the later one.
        edge_before: the edge's sums before those of ``after``; by default those of ``before``. The edge writes less
            regularly than the lab reads: then two readings have the same sums, and its last rates stand.

    Returns:
        ``None`` over a gap, and across a restart of the web server or of the edge's counting.
    """
    seconds = after.at - before.at
    if not 0 < seconds <= LONGEST_S or after.web.requests < before.web.requests:
        return None
    web = _WebChange(before.web, after.web)
    edge = _edge_change(edge_before or before.edge, after)
    answers = Counter(web.answers)
    lookups = dict(web.lookups)
    requests, failed, durations, span_s = web.requests, web.failed, web.durations, seconds
    if edge is not None:
        requests, failed, durations, span_s = edge.requests, edge.failed, edge.durations, edge.at
        share = seconds / span_s
        answers[EDGE] += round((edge.hits - edge.not_modified) * share)
        answers[BROWSER] += round(edge.not_modified * share)
        lookups["shop-edge"] = (round(edge.lookups * share), round(edge.hits * share))
    return LivePoint(
        at=after.at,
        seconds=seconds,
        requests_per_s=requests / span_s,
        errors_per_s=failed / span_s,
        queries_per_s=web.queries / seconds,
        p50_ms=percentile_ms(durations, 0.5),
        p95_ms=percentile_ms(durations, 0.95),
        in_flight=after.web.in_flight,
        answers={name: count for name, count in answers.items() if count},
        lookups=lookups,
    )


class _WebChange:
    """The difference of two sums of the web processes."""

    def __init__(self, before: WebSums, after: WebSums) -> None:
        self.requests = after.requests - before.requests
        self.failed = after.failed - before.failed
        self.queries = max(0, after.queries - before.queries)
        self.durations = _difference(before.durations, after.durations)
        self.answers = {
            name: difference
            for name, count in after.answers.items()
            if (difference := count - before.answers.get(name, 0))
        }
        self.lookups = {
            name: (asked - before.lookups.get(name, (0, 0))[0], hits - before.lookups.get(name, (0, 0))[1])
            for name, (asked, hits) in after.lookups.items()
        }


def _edge_change(before: EdgeReading | None, reading: SumsReading) -> EdgeReading | None:
    """Return the differences, with the seconds between as ``at``; ``None`` without two readings that follow."""
    after = reading.edge
    if before is None or after is None or after.requests < before.requests:
        return None
    if after.at <= before.at or reading.at - after.at > EDGE_IDLE_S:
        return EdgeReading(EDGE_SPAN_S, 0, 0, 0, 0, 0, {})
    return EdgeReading(
        at=min(after.at - before.at, EDGE_SPAN_S),
        requests=after.requests - before.requests,
        failed=after.failed - before.failed,
        hits=after.hits - before.hits,
        not_modified=after.not_modified - before.not_modified,
        lookups=after.lookups - before.lookups,
        durations=_difference(before.durations, after.durations),
    )


def _difference(before: Durations, after: Durations) -> Durations:
    return {bound: count - before.get(bound, 0) for bound, count in after.items()}


def percentile_ms(durations: Durations, share: float) -> float | None:
    """Return a percentile of durations in milliseconds, estimated as within its bucket they were evenly spread.

    Args:
        durations: counts by their upper bounds in seconds; those above the last finite bound count as that bound.
        share: 0.5 for the median.

    Returns:
        ``None`` without a duration.
    """
    wanted = share * sum(durations.values())
    if wanted <= 0:
        return None
    lower = passed = 0.0
    for bound in sorted(durations):
        count = durations[bound]
        if bound == float("inf"):
            break
        if count and passed + count >= wanted:
            return 1000 * (lower + (bound - lower) * (wanted - passed) / count)
        lower, passed = bound, passed + count
    return 1000 * lower


def sum_points(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answers and look-ups of some points together.

    Args:
        points: as :meth:`LivePoint.to_json` returns them.
    """
    answers: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for point in points:
        answers.update(point["answers"])
        for name, (lookups, found) in point["lookups"].items():
            asked[name] += lookups
            hits[name] += found
    return {"answers": dict(answers), "lookups": {name: [count, hits[name]] for name, count in asked.items()}}
