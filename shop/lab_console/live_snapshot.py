"""The live figures of the lab, computed at most once a second for all viewers.

Problem: thirty viewers of a page that polls once a second would make the store measure itself thirty times a second.
Method: the answer is computed once, and every viewer is given the same bytes. Within a process one thread computes
(single flight), and the others answer with the last bytes. The processes share the answer as a file: whichever takes
the lock first computes, and the others read it. So each point has the same length for every viewer, and a new page
begins with the points of the last minute.
"""

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shop.atomic_files import atomic_write
from shop.patterns.observability.live_figures import EdgeReading, SumsReading, point_between, sum_points
from shop.patterns.observability.live_sums import WebSums

EVERY_S = 0.95
"""A little less than a viewer's second, so that each of its polls finds a new point."""
KEPT_POINTS = 60
RECENT_S = 10.0
"""Shares and hit rates are those of so many seconds: one alone has too few requests by hand."""

Document = dict[str, Any]


class LiveSnapshot:
    """The live figures of this server's processes.

    Args:
        path: of the file that they share.
        read: reads the sums of now.
        state: returns what has no rate, as a JSON document: breakers, queue, faults.
        now: returns the unix time in seconds.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], SumsReading],
        state: Callable[[SumsReading], Mapping[str, Any]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._read = read
        self._state = state
        self._now = now
        self._lock = threading.Lock()
        self._document: Document = {}
        self._stamp = 0
        self._newest = b""

    def newest(self) -> bytes:
        """Return the newest point, the shares of the last seconds, and the state, as JSON."""
        self._refresh()
        return self._newest

    def history(self) -> bytes:
        """Return all points of the last minute, the oldest first, with the rest of :meth:`newest`."""
        self._refresh()
        document = self._document
        return json.dumps({**_answer(document), "points": document.get("points", [])}).encode()

    def _refresh(self) -> None:
        if self._is_fresh() or not self._lock.acquire(blocking=not self._newest):
            return
        try:
            self._take_over()
            if self._is_fresh():
                return
            with self._only_process() as is_ours:
                if is_ours:
                    self._compute()
        finally:
            self._lock.release()

    def _is_fresh(self) -> bool:
        age_s = self._now() - self._document.get("at", 0.0)
        return bool(self._newest) and 0 <= age_s < EVERY_S

    def _take_over(self) -> None:
        """Use the answer of another process if it is newer."""
        with suppress(OSError, ValueError, TypeError):
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._publish(json.loads(self._path.read_bytes()))
                self._stamp = stamp

    def _compute(self) -> None:
        reading, before = self._read(), self._document
        edge_before = _edge(before.get("edge_before"))
        last = _reading(before["reading"]) if "reading" in before else None
        if last and last.edge and reading.edge and reading.edge.at > last.edge.at:
            edge_before = last.edge
        point = point_between(last, reading, edge_before) if last else None
        points = [*before.get("points", []), point.to_json()][-KEPT_POINTS:] if point else []
        document: Document = {
            "at": reading.at,
            "points": points,
            "state": dict(self._state(reading)),
            "reading": asdict(reading),
            "edge_before": asdict(edge_before) if edge_before else None,
        }
        self._publish(document)
        with suppress(OSError):  # a full disk: each process then computes its own
            atomic_write(self._path, json.dumps(document))
            self._stamp = self._path.stat().st_mtime_ns

    def _publish(self, document: Document) -> None:
        self._newest = json.dumps(_answer(document)).encode()
        self._document = document

    @contextmanager
    def _only_process(self) -> Iterator[bool]:
        """Tell whether no other process computes; one that has no answer yet does not wait either."""
        try:
            descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield True
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            if not self._newest:
                self._publish({"at": 0.0})
            yield False
        finally:
            os.close(descriptor)


def _answer(document: Document) -> Document:
    points = document.get("points", [])
    recent = [point for point in points if point["at"] > document["at"] - RECENT_S]
    return {
        "at": document["at"],
        "point": points[-1] if points else None,
        "recent": sum_points(recent),
        "state": document.get("state", {}),
    }


def _reading(fields: Mapping[str, Any]) -> SumsReading:
    web = fields["web"]
    lookups = {name: (pair[0], pair[1]) for name, pair in web["lookups"].items()}
    durations = {float(bound): count for bound, count in web["durations"].items()}
    return SumsReading(
        fields["at"], WebSums(**{**web, "lookups": lookups, "durations": durations}), _edge(fields["edge"])
    )


def _edge(fields: Mapping[str, Any] | None) -> EdgeReading | None:
    if fields is None:
        return None
    return EdgeReading(**{**fields, "durations": {float(bound): n for bound, n in fields["durations"].items()}})
