"""What the edge answered, counted from its own log: nobody else sees a hit there.

nginx' open-source build has no figures of its cache. It writes a line a request, so what was added since the last look
is read and counted by what became of the look-up and by time-to-live class, never by address.
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
"""The classes of what is the same for everybody."""
NO_CLASS = "none"
"""Of what no class was named for: private answers, static files, errors."""
UNSTORED = "unstored"
"""The outcome where an answer would have been kept, and the store could not be written to."""
_LINE = re.compile(
    rb'"status":(\d+),"duration_s":([\d.]+),"app_s":"[^"]*","bytes":\d+,"cache":"shop-edge; ([^"]*)","class":"([^"]*)"'
)


class LoggedResponse(NamedTuple):
    """What one line says of an answer; many lines say the same."""

    ttl_class: str
    outcome: str
    status: int
    duration_s: float
    """From the first byte of the request to the last of the answer, in whole milliseconds."""


class LogPosition(NamedTuple):
    """A place in a log: which file, however it is called by now, and up to which byte."""

    inode: int
    offset: int


class EdgeLogReader:
    """Reads what is added to nginx's log, also over the moment when it is moved aside.

    Args:
        path: of the log; it need not be there yet.
        aside: where it is moved to when it has grown.
        position: where to begin; at the end by default, since what stands in it already is an earlier server's.
    """

    def __init__(self, path: Path, aside: Path | None = None, position: LogPosition | None = None) -> None:
        self._path = path
        self._aside = aside or path.with_name(f"{path.stem}.1{path.suffix}")
        found = _stat(path)
        self._file = position.inode if position else found and found.st_ino
        self._read_to = position.offset if position else found.st_size if found else 0
        self._before: LogPosition | None = None
        """In the log moved aside last: one of nginx's processes may write to it when another writes to the new one."""

    @property
    def position(self) -> LogPosition | None:
        """Return up to where it was read; ``None`` while there is no log."""
        return None if self._file is None else LogPosition(self._file, self._read_to)

    def read(self) -> Counter[LoggedResponse]:
        """Return what was added since the last call, each answer with how many there were of it."""
        found: Counter[LoggedResponse] = Counter()
        now, left = _stat(self._path), _stat(self._aside)
        if self._before is not None and left is not None and left.st_ino == self._before.inode:
            self._before = LogPosition(left.st_ino, _read(self._aside, self._before.offset, found))
        if self._file is not None and (now is None or now.st_ino != self._file):
            if left is not None and left.st_ino == self._file:
                self._read_to = _read(self._aside, self._read_to, found)
            if now is None:
                return found  # nginx has not opened a new one yet, and still writes to that
            self._before = LogPosition(self._file, self._read_to)
        if now is not None:
            if now.st_ino != self._file:
                self._file, self._read_to = now.st_ino, 0
            self._read_to = _read(self._path, self._read_to, found)
        return found


def _read(path: Path, read_to: int, found: Counter[LoggedResponse]) -> int:
    """Count the whole lines of a log from a byte on; return the byte up to which they go."""
    with path.open("rb") as log:
        log.seek(read_to)
        while chunk := log.read(CHUNK_BYTES):
            whole, newline, rest = chunk.rpartition(b"\n")
            if not newline:
                break  # a line that is not all there is read the next time
            read_to += len(chunk) - len(rest)
            log.seek(read_to)
            # Counted as they stand, and then read: a busy edge says the same thousands of times a second.
            for (status, duration, said, name), count in Counter(_LINE.findall(whole)).items():
                look_up = _class_of(name.decode()), _outcome(said.decode())
                found[LoggedResponse(*look_up, int(status), float(duration))] += count
    return read_to


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _class_of(name: str) -> str:
    return name if name in CLASSES else NO_CLASS


def _outcome(said: str) -> str:
    """Return what became of a look-up, in the words of the other layers' figures."""
    kind, _, rest = said.partition(";")
    if kind == "hit":
        return "hit-stale" if "detail=" in rest else "hit"
    if "detail=not-writable" in rest:
        return UNSTORED
    return {"fwd=miss": "miss", "fwd=stale": "stale"}.get(kind, "bypass")
