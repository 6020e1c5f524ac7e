"""What the last requests say together: how many a second, what they asked of the database, and who answered them."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shop.patterns.observability.json_lines import rotated_path
from shop.patterns.observability.logs import timestamp

LAYERS = {"shop-edge": "edge", "shop-local": "local memory", "shop-shared": "Valkey"}
DATABASE, APPLICATION, BROWSER = "database", "application", "browser's own copy"
NOT_MODIFIED = 304
TAIL_BYTES = 128 * 1024
"""Of a log file: some 300 requests."""


@dataclass(frozen=True, slots=True)
class RecentRequests:
    """Some requests in a row."""

    requests: int
    seconds: float
    """From the first to the last of them."""
    queries: int
    answered_by: tuple[tuple[str, int], ...]
    """Who answered, and how many; the most first."""

    @property
    def requests_a_second(self) -> float | None:
        """Return the rate; ``None`` where one request makes none."""
        return (self.requests - 1) / self.seconds if self.seconds > 0 else None

    @property
    def queries_a_second(self) -> float | None:
        """Return the database statements a second; ``None`` where one request makes no rate."""
        return self.queries / self.seconds if self.seconds > 0 else None


def last_requests(web: Path, edge: Path, count: int) -> list[Mapping[str, object]]:
    """Return the newest request lines, newest first, each once: from whoever answered it.

    Args:
        web: the application's log; what it answered is there.
        edge: the edge's; what it answered alone is only there. Either may be missing.
        count: how many at most.
    """
    written, since = _tail(web)
    beside, since_there = _tail(edge)
    # Where one log's tail reaches back less far than the other's, what is older is not all there.
    since = max(since, _as_text(since_there))
    found = [*written, *(line for line in map(_like_the_others, beside) if _hit(line))]
    found = [line for line in found if str(line["ts"]) >= since]
    return sorted(found, key=lambda line: str(line["ts"]), reverse=True)[:count]


def summarise(lines: Sequence[Mapping[str, object]]) -> RecentRequests:
    """Summarise request lines, in any order."""
    moments = sorted(datetime.fromisoformat(str(line["ts"])) for line in lines)
    answered = Counter(answering_layer(line) for line in lines)
    return RecentRequests(
        requests=len(lines),
        seconds=(moments[-1] - moments[0]).total_seconds() if moments else 0.0,
        queries=sum(int(str(line.get("queries") or 0)) for line in lines),
        answered_by=tuple(answered.most_common()),
    )


def answering_layer(line: Mapping[str, object]) -> str:
    """Return who made the answer of one request line: the cache that hit, else whatever it cost."""
    if line.get("status") == NOT_MODIFIED:
        return BROWSER
    entries = line.get("cache")
    for entry in entries if isinstance(entries, list) else ():
        layer, _, rest = str(entry).partition(";")
        if rest.strip().startswith("hit"):
            return LAYERS.get(layer, layer)
    return DATABASE if line.get("queries") else APPLICATION


def _tail(log: Path) -> tuple[list[Mapping[str, Any]], Any]:
    """Return the request lines at the end of a log file, newest first, and the moment before which there are more."""
    tail, more = _end_of(log, TAIL_BYTES)
    if not more:  # begun anew a moment ago: what is before it was moved aside
        before, more = _end_of(rotated_path(log), TAIL_BYTES - len(tail))
        tail = before + tail
    lines = reversed(tail.splitlines())
    found = [read for line in lines if (read := _parse(line)).get("event") == "request" and "ts" in read]
    return found, found[-1]["ts"] if found and more else ""


def _end_of(log: Path, size: int) -> tuple[bytes, bool]:
    """Return the last bytes of a file, and whether there are more before them; nothing if there is no such file."""
    try:
        with log.open("rb") as lines:
            end = lines.seek(0, os.SEEK_END)
            lines.seek(max(0, end - size))
            return lines.read(), end > size
    except OSError:
        return b"", False


def _like_the_others(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line of the edge's as the application would have written it."""
    return {
        **line,
        "ts": _as_text(line["ts"]),
        "duration_ms": round(line["duration_s"] * 1000, 2),
        "queries": 0,
        "cache": [line["cache"]],
    }


def _as_text(at: float | str) -> str:
    return at if isinstance(at, str) else timestamp(datetime.fromtimestamp(at, UTC))


def _hit(line: Mapping[str, Any]) -> bool:
    return any(str(entry).startswith("shop-edge; hit") for entry in line["cache"])


def _parse(line: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {}  # the first line of a tail is cut somewhere
    return read if isinstance(read, dict) else {}
