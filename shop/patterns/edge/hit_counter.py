"""Counts the edge's responses since its stack was started, and keeps the totals in a file for every process to read.

One process beside nginx reads nginx's log, several times a second, and is the only one that rotates it; so it misses no
line. It saves the totals together with the position in the log. After a restart it goes on from that position: no line
is counted twice, and none is lost.
"""

import json
import logging
import math
import os
import signal
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shop.atomic_files import atomic_write
from shop.patterns.edge.access_log import EdgeLogReader, LoggedResponse, LogPosition

LOG_MAX_BYTES = 64 * 1024 * 1024
"""A larger log is rotated, as the application's is."""
ROTATION_PAUSE_S = 1.0
"""After a rotation, each of nginx's processes has opened the new log by then and written its rest to the old one."""
CONTAINER_INIT_PID = 1
"""nginx's process id in a container of its own. The purger does not see that container's processes, and process 1 of
its own container is not nginx. There a script beside nginx sees that the log is gone (``deploy/nginx/reopen-log.sh``).
"""
SAVE_EVERY_S = 1.0
"""How far the totals on ``/lab`` may lag behind."""
NOT_MODIFIED = 304
DURATION_BOUNDS_MS = (
    *(1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 500, 700),
    *(1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 30_000),
)
"""Upper bounds of the counted durations in milliseconds; one more count is for the longer ones. nginx logs whole
milliseconds."""

_log = logging.getLogger("shop.edge_purger")


@dataclass
class EdgeTotals:
    """Totals of one edge's responses."""

    requests: int = 0
    failed: int = 0
    """Responses of status 500 and above."""
    lookups: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Time-to-live class and outcome to the number of look-ups."""
    not_modified: int = 0
    """Hits with status 304, which have no body."""
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS_MS) + 1))
    """Number of responses by duration, in the order of :data:`DURATION_BOUNDS_MS`."""
    position: LogPosition | None = None
    """The position in nginx's log up to which the totals count."""
    saved_at: float = 0.0
    """Unix time in seconds at which the totals were saved."""

    def add(self, responses: Mapping[LoggedResponse, int], position: LogPosition | None) -> None:
        """Add responses read from the log up to a position."""
        for response, count in responses.items():
            self.requests += count
            self.failed += count if response.status >= 500 else 0
            self.lookups[(response.ttl_class, response.outcome)] += count
            self.durations[bisect_left(DURATION_BOUNDS_MS, response.duration_s * 1000)] += count
            if response.status == NOT_MODIFIED and response.outcome.startswith("hit"):
                self.not_modified += count
        self.position = position

    def save(self, path: Path) -> None:
        """Replace the file as a whole.

        Raises:
            OSError: the file cannot be written.
        """
        look_ups = [[*key, count] for key, count in self.lookups.items()]
        document = {
            "requests": self.requests,
            "failed": self.failed,
            "look_ups": look_ups,
            "not_modified": self.not_modified,
            "durations": self.durations,
            "position": self.position,
            "saved_at": time.time(),
        }
        atomic_write(path, json.dumps(document))

    @classmethod
    def load(cls, path: Path) -> "EdgeTotals | None":
        """Return the saved totals; ``None`` without a readable file."""
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            lookups = Counter({(ttl_class, outcome): count for ttl_class, outcome, count in document["look_ups"]})
            position = LogPosition(*document["position"]) if document["position"] else None
            totals = cls(document["requests"], document["failed"], lookups, position=position)
            # The file of another release may have no durations, or those of other bounds.
            totals.not_modified = document.get("not_modified", 0)
            if len(durations := document.get("durations", ())) == len(totals.durations):
                totals.durations = durations
            totals.saved_at = document.get("saved_at", 0.0)
            return totals
        except (OSError, ValueError, KeyError, TypeError):
            return None


class EdgeHitCounter:
    """Counts the responses in nginx's log, saves the totals, and rotates the log.

    Args:
        log: nginx's access log.
        totals_file: the file of the totals.
        pid_file: the file with the process id of nginx.
        on_responses: is called with the responses that each round has read.
    """

    def __init__(
        self,
        log: Path,
        totals_file: Path,
        pid_file: Path,
        on_responses: Callable[[Mapping[LoggedResponse, int]], None],
    ) -> None:
        self._path = log
        self._rotated = log.with_name(f"{log.stem}.1{log.suffix}")
        self._totals_file = totals_file
        self._pid_file = pid_file
        self._on_responses = on_responses
        self._totals = EdgeTotals.load(totals_file) or EdgeTotals()
        self._reader = EdgeLogReader(log, self._rotated, self._totals.position)
        self._saved_at = self._rotated_at = -math.inf
        self._unsaved = False

    def run_once(self) -> None:
        """Count the new lines, save the totals if they changed, and rotate a log that is too large."""
        responses = self._reader.read()
        self._on_responses(responses)
        before = self._totals.position
        self._totals.add(responses, self._reader.position)
        self._unsaved = self._unsaved or self._totals.position != before
        now = time.monotonic()
        if self._unsaved and now - self._saved_at >= SAVE_EVERY_S:
            with suppress(OSError):  # a full disk: a later round saves them
                self._totals_file.parent.mkdir(parents=True, exist_ok=True)
                self._totals.save(self._totals_file)
                self._unsaved = False
            self._saved_at = now
        if now - self._rotated_at >= ROTATION_PAUSE_S and self._path.exists():
            self._rotate_if_large(now)

    def _rotate_if_large(self, now: float) -> None:
        if self._path.stat().st_size <= LOG_MAX_BYTES:
            return
        self._path.replace(self._rotated)
        self._rotated_at = now
        try:
            nginx = int(self._pid_file.read_text())
            if nginx != CONTAINER_INIT_PID:
                os.kill(nginx, signal.SIGUSR1)  # nginx reopens its log
        except (OSError, ValueError):
            _log.warning("edge_log_not_reopened")
