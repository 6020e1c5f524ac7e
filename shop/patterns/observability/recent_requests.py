"""A summary of the last requests: their rate, their database queries, and the layers that answered them."""

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shop.patterns.observability import answering_layer as layers
from shop.patterns.observability.json_lines import rotated_path
from shop.patterns.observability.logs import timestamp

SEARCHED_REQUESTS = 1_000
FAILED = 500
TITLES = {layers.BROWSER: "browser's own copy", layers.LOCAL: "local memory", layers.SHARED: "Valkey"}
"""Layers whose name in the metrics is not the one on pages."""
TAIL_BYTES = 128 * 1024
"""Bytes read from the end of a log file: some 300 requests."""


@dataclass(frozen=True, slots=True)
class RecentRequests:
    """The summary of consecutive requests."""

    requests: int
    seconds: float
    """From the first to the last request."""
    queries: int
    failed: int
    """Responses of status 500 and above."""
    p50_ms: float | None
    """``None`` without a request."""
    p95_ms: float | None
    answered_by: tuple[tuple[str, int], ...]
    """Layer and number of its responses, the largest number first."""

    @property
    def requests_a_second(self) -> float | None:
        """Return the requests a second; ``None`` for a single request."""
        return (self.requests - 1) / self.seconds if self.seconds > 0 else None

    @property
    def queries_a_second(self) -> float | None:
        """Return the database statements a second; ``None`` for a single request."""
        return self.queries / self.seconds if self.seconds > 0 else None


def last_requests(web: Path, edge: Path, count: int) -> list[Mapping[str, object]]:
    """Return the newest request lines, newest first; each request once, from the log of the layer that answered it.

    Args:
        web: the application's log, with the requests that it answered.
        edge: the edge's log, with all requests; those answered from its cache are only there. Either may be missing.
        count: the largest number of lines.
    """
    web_lines, web_since = _tail(web)
    edge_lines, edge_since = _tail(edge)
    # Before the later of the two beginnings, one of the logs is incomplete.
    since = max(web_since, _as_text(edge_since))
    hits = [line for line in edge_lines if str(line["cache"]).startswith("shop-edge; hit")]
    lines = [line for line in (*web_lines, *map(_in_application_format, hits)) if str(line["ts"]) >= since]
    return sorted(lines, key=lambda line: str(line["ts"]), reverse=True)[:count]


def find_request(web: Path, edge: Path, request_id: str) -> Mapping[str, object] | None:
    """Return the line of a request among the last few hundred; ``None`` if it is not there, or not yet.

    Args:
        web: the application's log.
        edge: the edge's log. Either may be missing.
        request_id: of the request.
    """
    lines = last_requests(web, edge, SEARCHED_REQUESTS)
    return next((line for line in lines if line.get("request_id") == request_id), None)


def summarise(lines: Sequence[Mapping[str, object]]) -> RecentRequests:
    """Summarise request lines, in any order."""
    times = sorted(datetime.fromisoformat(str(line["ts"])) for line in lines)
    durations = sorted(float(str(line.get("duration_ms") or 0)) for line in lines)
    responses = Counter(map(layer_of, lines))
    return RecentRequests(
        requests=len(lines),
        seconds=(times[-1] - times[0]).total_seconds() if times else 0.0,
        queries=sum(int(str(line.get("queries") or 0)) for line in lines),
        failed=sum(int(str(line.get("status") or 0)) >= FAILED for line in lines),
        p50_ms=_percentile(durations, 0.5),
        p95_ms=_percentile(durations, 0.95),
        answered_by=tuple(responses.most_common()),
    )


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of ordered values."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def layer_of(line: Mapping[str, object]) -> str:
    """Return the layer that answered one request: a name of ``LAYERS`` in :mod:`answering_layer`."""
    entries = line.get("cache")
    cache = map(str, entries) if isinstance(entries, list) else ()
    return layers.answering_layer(int(str(line.get("status") or 0)), cache, int(str(line.get("queries") or 0)))


def answering_layer(line: Mapping[str, object]) -> str:
    """Return the layer that answered one request, in the words of the pages."""
    name = layer_of(line)
    return TITLES.get(name, name)


def _tail(log: Path) -> tuple[list[Mapping[str, Any]], Any]:
    """Return the last request lines of a log, newest first, and the time of the oldest if older ones exist."""
    tail, has_more = _end_of(log, TAIL_BYTES)
    if not has_more:  # the log was rotated a short time ago: older lines are in the rotated file
        before, has_more = _end_of(rotated_path(log), TAIL_BYTES - len(tail))
        tail = before + tail
    parsed = map(_parse, reversed(tail.splitlines()))
    lines = [line for line in parsed if line.get("event") == "request" and "ts" in line]
    return lines, lines[-1]["ts"] if lines and has_more else ""


def _end_of(log: Path, size: int) -> tuple[bytes, bool]:
    """Return the last bytes of a file, and whether there are more before them; no bytes if there is no such file."""
    try:
        with log.open("rb") as lines:
            end = lines.seek(0, os.SEEK_END)
            lines.seek(max(0, end - size))
            return lines.read(), end > size
    except OSError:
        return b"", False


def _in_application_format(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line of the edge's log in the format of the application's log."""
    return {
        **line,
        "ts": _as_text(line["ts"]),
        "duration_ms": round(line["duration_s"] * 1000, 2),
        "queries": 0,
        "cache": [line["cache"]],
    }


def _as_text(at: float | str) -> str:
    return at if isinstance(at, str) else timestamp(datetime.fromtimestamp(at, UTC))


def _parse(line: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:
        return {}  # the first line of a tail is incomplete
    return fields if isinstance(fields, dict) else {}
