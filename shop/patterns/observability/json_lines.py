"""A file of JSON lines to which several processes append.

Each line is one ``write`` on a file opened for appending; the kernel does not mix it with the writes of other
processes. There is no buffer, so a killed process loses no written line. The size is bounded: a file over its limit is
rotated, with one old file. A line that cannot be written, for example on a full disk, is lost and counted: an order is
worth more than its log line. Before the next line that can be written, a line with the number of lost lines is added.
"""

import fcntl
import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

MAX_BYTES = 64 * 1024 * 1024
"""About 200,000 requests; the rotated file doubles it."""
CHECK_EVERY = 1_000
"""Lines between two checks of the size: a check costs as much as a line."""

_encode = json.JSONEncoder(default=str).encode
"""ASCII only: a path may contain characters, such as U+0085 or U+2028, that readers treat as the end of a line."""


def rotated_path(path: Path) -> Path:
    """Return the path of the rotated file."""
    return path.with_name(f"{path.stem}.1{path.suffix}")


class JsonLinesFile:
    """Appends JSON lines. The first line opens the file.

    Args:
        path: the file; its directory is created.
        max_bytes: a larger file is rotated.
        check_every: lines between two checks of the size.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, check_every: int = CHECK_EVERY) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._check_every = check_every
        self._descriptor: int | None = None
        self._written = 0
        self._lost = 0
        self._is_torn = False
        """Whether the last write has ended within a line."""
        self._lock = threading.Lock()

    def write(self, fields: Mapping[str, object]) -> None:
        """Append one line. A value that JSON cannot represent is written as text."""
        self.write_text(_encode(fields))

    def write_text(self, document: str) -> None:
        """Append a JSON document in one line; if that fails, the line is lost and counted."""
        line = document.encode("utf-8", "backslashreplace") + b"\n"
        if self._lost or self._is_torn:
            line = self._loss_notice() + line
        try:
            descriptor = self._descriptor
            if descriptor is None or self._written >= self._check_every:
                descriptor = self._reopen()
            self._written += 1  # two threads may count one line only: the number only decides when to check the size
            written = os.write(descriptor, line)
        except OSError:
            self._lost += 1
            return
        self._is_torn = written < len(line)  # the disk is full: the next line must begin with a line end
        self._lost = self._lost + 1 if self._is_torn else 0

    def _loss_notice(self) -> bytes:
        """Return the end of a torn line, and a line with the number of lost lines."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        notice = {"ts": now, "level": "warning", "event": "log_lines_lost", "lines": self._lost}
        return (b"\n" if self._is_torn else b"") + (f"{_encode(notice)}\n".encode() if self._lost else b"")

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _reopen(self) -> int:
        """Open the file, or rotate it if it is too large; return its descriptor."""
        with self._lock:
            self._written = 0
            if self._descriptor is None:
                self._descriptor = self._open()
            elif os.fstat(self._descriptor).st_size > self._max_bytes:
                self._rotate(self._descriptor)
            return self._descriptor

    def _rotate(self, full: int) -> None:
        fcntl.flock(full, fcntl.LOCK_EX)  # else two processes see a full file, and the second rotates the new one
        if self.path.exists() and os.path.samestat(os.fstat(full), self.path.stat()):  # no other process has done it
            self.path.replace(rotated_path(self.path))
        fcntl.flock(full, fcntl.LOCK_UN)
        new = self._open()
        os.dup2(new, full)  # the descriptor's number stays: a thread that has read it writes to the new file
        os.close(new)

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
