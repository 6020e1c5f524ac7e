"""The worker's report on outbox and queue: a small file, replaced about once a second.

The lab shows it. A web process has no connection to the broker, and must not wait for a database that hangs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shop.atomic_files import atomic_write


@dataclass(frozen=True, slots=True)
class QueueReport:
    """The messages between the store and its worker at one moment.

    Args:
        at: unix time in seconds.
        waiting: messages in the outbox.
        oldest_s: seconds since the oldest due message became due.
        dead: dead letters.
        queues: consumer to its waiting messages; ``None`` while the broker does not answer.
    """

    at: float
    waiting: int
    oldest_s: float
    dead: int
    queues: Mapping[str, int] | None = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Replace the file.

        Raises:
            OSError: it cannot be written.
        """
        atomic_write(path, json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> "QueueReport | None":
        """Return the saved report; ``None`` without a readable one."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
