"""The edge's responses, read from nginx's access log: no other process sees a hit at the edge.

nginx's open-source build has no metrics of its cache. It writes a line for each request. The reader takes the lines
added since its last call and counts them by outcome of the look-up and by time-to-live class, never by URL.
Source: RFC 9211 (the words of ``Cache-Status``); nginx's documentation of ``$upstream_cache_status``.
"""

import os
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from shop.patterns.caching import CATALOGUE, NEGATIVE, REFERENCE, SEARCH

LAYER = "shop-edge"
CHUNK_BYTES = 1024 * 1024
CLASSES = frozenset(policy.name for policy in (CATALOGUE, NEGATIVE, REFERENCE, SEARCH))
"""The time-to-live classes of public responses."""
NO_CLASS = "none"
"""For responses without a class: private responses, static files, errors."""
UNSTORED = "unstored"
"""The outcome of a cacheable response that nginx could not write to its cache."""
OUTCOMES = {"fwd=miss": "miss", "fwd=stale": "stale"}
USE, PREFETCH = "use", "prefetch"
"""Purposes of a request: a client waits for the response, or a browser sent it ahead of a click."""
_LINE = re.compile(
    rb'"status":(\d+),"duration_s":([\d.]+),"app_s":"[^"]*","bytes":\d+,"cache":"shop-edge; ([^"]*)","class":"([^"]*)"'
    rb'(?:,"client":"[^"]*","purpose":"([^"]*)")?'
)


class LoggedResponse(NamedTuple):
    """The counted fields of one log line; many lines have the same ones."""

    ttl_class: str
    outcome: str
    status: int
    duration_s: float
    """From the request's first byte to the response's last byte, in whole milliseconds."""
    purpose: str = USE
    """:data:`PREFETCH` if a browser sent the request ahead of a click."""


class LogPosition(NamedTuple):
    """A position in a log: the file's inode, which survives a rename, and the byte offset."""

    inode: int
    offset: int


class EdgeLogReader:
    """Reads the lines added to nginx's log, also across a rotation.

    Args:
        path: the log; it may not exist yet.
        rotated: the log's path after a rotation.
        position: the start; by default the log's end, since the lines before it belong to an earlier server.
    """

    def __init__(self, path: Path, rotated: Path | None = None, position: LogPosition | None = None) -> None:
        self._path = path
        self._rotated = rotated or path.with_name(f"{path.stem}.1{path.suffix}")
        log = _stat(path)
        self._inode = position.inode if position else log and log.st_ino
        self._offset = position.offset if position else log.st_size if log else 0
        self._before: LogPosition | None = None
        """In the rotated log: one of nginx's processes may still write to it while another writes to the new log."""

    @property
    def position(self) -> LogPosition | None:
        """Return the end of the lines read so far; ``None`` while there is no log."""
        return None if self._inode is None else LogPosition(self._inode, self._offset)

    def read(self) -> Counter[LoggedResponse]:
        """Return the responses added since the last call, each with its count."""
        counts: Counter[LoggedResponse] = Counter()
        log, rotated = _stat(self._path), _stat(self._rotated)
        if self._before is not None and rotated is not None and rotated.st_ino == self._before.inode:
            self._before = LogPosition(rotated.st_ino, _count_lines(self._rotated, self._before.offset, counts))
        if self._inode is not None and (log is None or log.st_ino != self._inode):
            if rotated is not None and rotated.st_ino == self._inode:
                self._offset = _count_lines(self._rotated, self._offset, counts)
            if log is None:
                return counts  # nginx has not opened a new log yet, and still writes to the rotated one
            self._before = LogPosition(self._inode, self._offset)
        if log is not None:
            if log.st_ino != self._inode:
                self._inode, self._offset = log.st_ino, 0
            self._offset = _count_lines(self._path, self._offset, counts)
        return counts


def _count_lines(path: Path, offset: int, counts: Counter[LoggedResponse]) -> int:
    """Count the complete lines of a log from an offset; return the offset of their end."""
    with path.open("rb") as log:
        log.seek(offset)
        while chunk := log.read(CHUNK_BYTES):
            complete, newline, rest = chunk.rpartition(b"\n")
            if not newline:
                break  # an incomplete line is read by the next call
            offset += len(chunk) - len(rest)
            log.seek(offset)
            # Count the raw fields first, then parse: a busy edge logs equal ones thousands of times a second.
            for (status, duration, cache_status, ttl_class, said), count in Counter(_LINE.findall(complete)).items():
                name = ttl_class.decode()
                lookup = name if name in CLASSES else NO_CLASS, lookup_outcome(cache_status.decode())
                purpose = PREFETCH if said.decode() == PREFETCH else USE
                counts[LoggedResponse(*lookup, int(status), float(duration), purpose)] += count
    return offset


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def lookup_outcome(cache_status: str) -> str:
    """Return the outcome of a look-up, in the words of the other layers' metrics."""
    kind = cache_status.partition(";")[0]
    if kind == "hit":
        return "hit-stale" if "detail=" in cache_status else "hit"
    return UNSTORED if "detail=not-writable" in cache_status else OUTCOMES.get(kind, "bypass")
