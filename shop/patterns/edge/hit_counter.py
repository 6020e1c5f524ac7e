"""What one edge has answered since its stack was started, in a file that any process of the machine may read.

The process beside nginx alone reads nginx's log, a few times a second, and alone moves it aside; so it misses nothing.
It notes the sums together with the place up to which it has read: started again it goes on there, and counts no line
twice and none never.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shop.patterns.edge.access_log import LoggedResponse, LogPosition
from shop.private_files import write_private


@dataclass
class EdgeTotals:
    """Sums."""

    requests: int = 0
    failed: int = 0
    """Of them, answers of status 500 and above."""
    lookups: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Time-to-live class and outcome to how many."""
    position: LogPosition | None = None
    """Up to where nginx's log is counted."""

    def add(self, answers: Mapping[LoggedResponse, int], position: LogPosition | None) -> None:
        """Add what was read from the log, up to a place in it."""
        for answer, count in answers.items():
            self.requests += count
            self.failed += count if answer.status >= 500 else 0
            self.lookups[(answer.ttl_class, answer.outcome)] += count
        self.position = position

    def save(self, path: Path) -> None:
        """Replace the file as a whole.

        Raises:
            OSError: it cannot be written.
        """
        look_ups = [[*key, count] for key, count in self.lookups.items()]
        document = {"requests": self.requests, "failed": self.failed, "look_ups": look_ups, "position": self.position}
        write_private(path, json.dumps(document))

    @classmethod
    def load(cls, path: Path) -> "EdgeTotals | None":
        """Return what was saved; ``None`` where no edge has answered anything here."""
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(found["requests"], found["failed"], _look_ups(found["look_ups"]), _position(found["position"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _look_ups(rows: Iterable[tuple[str, str, int]]) -> Counter[tuple[str, str]]:
    return Counter({(ttl_class, outcome): count for ttl_class, outcome, count in rows})


def _position(found: list[int] | None) -> LogPosition | None:
    return LogPosition(*found) if found else None
