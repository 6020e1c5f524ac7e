"""What the edge answered, counted from its own log: nobody else sees a hit there.

nginx' open-source build has no figures of its cache. It writes a line a request, so what was added since the last look
is read and counted by what became of the look-up and by time-to-live class, never by address.
Source: RFC 9211 (the words of ``Cache-Status``); nginx's documentation of ``$upstream_cache_status``.
"""

import os
import re
import threading
from collections import Counter
from pathlib import Path

from shop.patterns.caching import CATALOGUE, NEGATIVE, REFERENCE, SEARCH

LAYER = "shop-edge"
CHUNK_BYTES = 1024 * 1024
CLASSES = frozenset(policy.name for policy in (CATALOGUE, NEGATIVE, REFERENCE, SEARCH))
"""The classes of what is the same for everybody."""
NO_CLASS = "none"
"""Of what no class was named for: private answers, static files, errors."""
UNSTORED = "unstored"
"""The outcome where an answer would have been kept, and the store could not be written to."""
_LINE = re.compile(rb'"cache":"shop-edge; ([^"]*)","class":"([^"]*)"')


class AccessLog:
    """Reads what is added to nginx's log, also over the moment when it is moved aside.

    Args:
        path: of the log; it need not be there yet. What stands in it already is an earlier server's.
        aside: where it is moved to when it has grown.
    """

    def __init__(self, path: Path, aside: Path | None = None) -> None:
        self._path = path
        self._aside = aside or path.with_name(f"{path.stem}.1{path.suffix}")
        found = _stat(path)
        self._file = found and found.st_ino
        self._read_to = found.st_size if found else 0

    def read(self) -> Counter[tuple[str, str]]:
        """Return how many look-ups were added since the last call, by class and outcome."""
        found: Counter[tuple[str, str]] = Counter()
        now = _stat(self._path)
        if self._file is not None and (now is None or now.st_ino != self._file):
            left = _stat(self._aside)
            if left is not None and left.st_ino == self._file:
                self._read(self._aside, found)
            if now is None:
                return found  # nginx has not opened a new one yet, and still writes to that
        if now is not None:
            if now.st_ino != self._file:
                self._file, self._read_to = now.st_ino, 0
            self._read(self._path, found)
        return found

    def _read(self, path: Path, found: Counter[tuple[str, str]]) -> None:
        with path.open("rb") as log:
            log.seek(self._read_to)
            while chunk := log.read(CHUNK_BYTES):
                whole, newline, rest = chunk.rpartition(b"\n")
                if not newline:
                    break  # a line that is not all there is read the next time
                self._read_to += len(chunk) - len(rest)
                log.seek(self._read_to)
                for said, name in _LINE.findall(whole):
                    found[(_class_of(name.decode()), _outcome(said.decode()))] += 1


class Tally:
    """Look-ups at the edge since this was made, added up; for several threads.

    Args:
        path: of nginx's log.
    """

    def __init__(self, path: Path) -> None:
        self._log = AccessLog(path)
        self._lock = threading.Lock()
        self._total: Counter[tuple[str, str]] = Counter()

    def total(self) -> Counter[tuple[str, str]]:
        """Return how many there were, by class and outcome."""
        with self._lock:
            self._total += self._log.read()
            return Counter(self._total)


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
