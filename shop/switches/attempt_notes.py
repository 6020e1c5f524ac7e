"""What went wrong with one version of an attempt in the store: a file of JSON lines, which all processes append to."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shop.switches.attempt_slots import NOTES_SUFFIX, READABLE, AttemptSlot, AttemptSlots

MAX_ENDS = 3
"""So often the store ends a call of one version, or loses a process in one; then its own code is in force again."""
STOPPED = "stopped"
"""Kind of the note that ends a version."""


@dataclass(frozen=True)
class AttemptNote:
    """One event.

    Args:
        kind: one word, by which the causes are told apart.
        did: the call.
        came: its outcome.
        look: file, line and function of the reader.
        process: kind and number of the process.
        ended: whether the store had to end the call, or the process ended in it.
        at: time, ISO 8601.
    """

    kind: str
    did: str
    came: str
    look: str
    process: str
    ended: bool = False
    at: str = ""


class AttemptNotes:
    """The notes on one version of an attempt.

    Args:
        slots: names the folder.
        slot: of the exercise.
        version: of the attempt.
    """

    def __init__(self, slots: AttemptSlots, slot: AttemptSlot, version: str) -> None:
        self._path = slots.copy_path(slot, version).with_suffix(NOTES_SUFFIX)

    def add(self, note: AttemptNote) -> int:
        """Append a note.

        Returns:
            How many notes of this version tell of an end.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({**asdict(note), "at": note.at or now}) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, READABLE)
        try:
            os.write(descriptor, line.encode())  # one write: lines of several processes do not mix
        finally:
            os.close(descriptor)
        return sum(other.ended for other in self.load())

    def load(self) -> list[AttemptNote]:
        """Return the notes, the oldest first."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return [AttemptNote(**document) for line in lines if (document := _parse(line))]

    @property
    def is_stopped(self) -> bool:
        """Return whether the version may no longer run."""
        return any(note.kind == STOPPED for note in self.load())


def latest_notes(slots: AttemptSlots, slot: AttemptSlot) -> list[AttemptNote]:
    """Return the notes on the version of an exercise that was noted last.

    Args:
        slots: of the begun exercises.
        slot: of the exercise.
    """
    folder = slots.copy_path(slot, "any").parent
    files = sorted(folder.glob(f"*{NOTES_SUFFIX}"), key=_modified_at)
    return AttemptNotes(slots, slot, files[-1].stem).load() if files else []


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _parse(line: str) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return document
