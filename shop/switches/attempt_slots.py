"""The reader's code in the running store: which switch takes it, and the version that is in force.

Problem: a file that is being edited must run in several processes, and all of them must run the same text.
Method: ``bin/shop exercise start`` writes a slot: the exercise's switch then takes ``attempt`` as one more value. A
change of that switch, and each later save of the file, copies the file under the hash of its content. The stored value
of the switch carries the hash (``attempt:1a2b3c4d``), and a process loads the copy of exactly that hash. So two
processes with one value run one text, whatever the reader saves meanwhile.

This module loads no code of the reader: see :mod:`shop.exercises.in_store`.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shop.atomic_files import atomic_write, make_directory
from shop.errors import InvalidFields

ATTEMPT = "attempt"
"""The value of a switch that stands for the reader's code."""
STORE = "store"
"""The default of a switch that exists only for its exercise."""
OWN_SWITCH = "exercise."
"""Begins the name of a switch that exists only for its exercise."""
VERSION_CHARS = 8
MAX_BYTES = 256 * 1024
KEPT_VERSIONS = 20
"""Older copies are deleted: nobody asks for them."""
READABLE = 0o644
NOTES_SUFFIX = ".jsonl"
"""Of the notes about a version."""
STATE_SUFFIX = ".state"
"""Of the byte by which processes suspend a version."""


def is_attempt(value: str) -> bool:
    """Return whether a value of a switch, as typed or as stored, stands for the reader's code."""
    return value == ATTEMPT or value.startswith(f"{ATTEMPT}:")


def stored_value(version: str) -> str:
    """Return the stored value of a version."""
    return f"{ATTEMPT}:{version}"


def version_of(value: str) -> str:
    """Return the version of a stored value; empty if it has none."""
    return value.partition(":")[2]


@dataclass(frozen=True, slots=True)
class AttemptSlot:
    """The place of one begun exercise in the store.

    Args:
        switch: takes ``attempt`` as a value.
        exercise: name of the exercise's folder, ``04-ttl-jitter``.
        file: the reader's file.
        defines: the name that the file defines.
        interface: ``module:Protocol`` of that name.
        processes: the kinds of process in which the attempt runs.
        call_limit_ms: a call may take this long.
    """

    switch: str
    exercise: str
    file: str
    defines: str
    interface: str
    processes: tuple[str, ...]
    call_limit_ms: int

    @property
    def slug(self) -> str:
        """Return the exercise's name without its number: ``ttl-jitter``."""
        return self.exercise.partition("-")[2]

    @property
    def number(self) -> str:
        """Return the exercise's number, as people write it: ``04``."""
        return self.exercise.partition("-")[0]


class AttemptSlots:
    """Reads and writes the slots and the copies, below ``var/exercises``.

    Args:
        var: the state directory.
    """

    def __init__(self, var: Path) -> None:
        self.folder = var / "exercises"
        self._file = self.folder / "slots.json"

    def load(self) -> dict[str, AttemptSlot]:
        """Return the slot of each switch that takes an attempt; none if no exercise is begun, or the file is broken."""
        try:
            documents: list[dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))
            slots = [AttemptSlot(**{**one, "processes": tuple(one["processes"])}) for one in documents]
        except (OSError, ValueError, TypeError, KeyError):
            return {}
        return {slot.switch: slot for slot in slots}

    def offer(self, slot: AttemptSlot) -> None:
        """Let the switch of an exercise take ``attempt``."""
        with self._locked():
            self._save({**self.load(), slot.switch: slot})

    def withdraw(self, switch: str) -> None:
        """Let a switch take ``attempt`` no more."""
        with self._locked():
            self._save({name: slot for name, slot in self.load().items() if name != switch})

    def publish(self, switch: str) -> str:
        """Copy the reader's file under its hash.

        Args:
            switch: its name.

        Returns:
            The version, for the stored value of the switch.

        Raises:
            InvalidFields: no begun exercise has this switch, or its file cannot be read.
        """
        slot = self.load().get(switch)
        if slot is None:
            raise InvalidFields(
                f"{switch} takes {ATTEMPT} once its exercise is begun: `bin/shop exercise list` names it.",
                errors={"value": "its exercise is not begun"},
            )
        text = self.read_file(slot)
        if text is None:
            raise InvalidFields(
                f"{slot.file} cannot be read, or is larger than {MAX_BYTES // 1024} kB:"
                f" `bin/shop exercise start {slot.number}` makes it.",
                errors={"value": "the file of the exercise cannot be read"},
            )
        version = self.keep(slot, text)
        self._forget_failures(self.copy_path(slot, version))
        return version

    def keep(self, slot: AttemptSlot, text: bytes) -> str:
        """Store a copy of a text, and return its version.

        Args:
            slot: of the exercise.
            text: of the reader's file.
        """
        version = content_version(text)
        path = self.copy_path(slot, version)
        if not path.exists():
            make_directory(path.parent)
            atomic_write(path, text, mode=READABLE)
            self._delete_old(path.parent)
        return version

    def copy_path(self, slot: AttemptSlot, version: str) -> Path:
        """Return the path of the copy of a version. Files about the version lie beside it, with another suffix."""
        return self.folder / slot.exercise / f"{version}.py"

    def read_file(self, slot: AttemptSlot) -> bytes | None:
        """Return the text of the reader's file; ``None`` if it cannot be read or is too large."""
        try:
            with Path(slot.file).open("rb") as file:
                text = file.read(MAX_BYTES + 1)
        except OSError:
            return None
        return text if len(text) <= MAX_BYTES else None

    def _forget_failures(self, copy: Path) -> None:
        """Let a version that was stopped run again. Its byte is overwritten: processes have the file mapped."""
        copy.with_suffix(NOTES_SUFFIX).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            descriptor = os.open(copy.with_suffix(STATE_SUFFIX), os.O_WRONLY)
            os.pwrite(descriptor, b"\0", 0)
            os.close(descriptor)

    def _delete_old(self, folder: Path) -> None:
        copies = sorted(folder.glob("*.py"), key=lambda path: path.stat().st_mtime)
        for path in copies[:-KEPT_VERSIONS]:
            for other in folder.glob(f"{path.stem}.*"):
                other.unlink(missing_ok=True)

    def _save(self, slots: Mapping[str, AttemptSlot]) -> None:
        content = json.dumps([asdict(slot) for _, slot in sorted(slots.items())], indent=1)
        atomic_write(self._file, f"{content}\n", mode=READABLE)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_directory(self.folder)
        with (self.folder / "slots.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def content_version(text: bytes) -> str:
    """Return the version of a text."""
    return hashlib.sha256(text).hexdigest()[:VERSION_CHARS]
