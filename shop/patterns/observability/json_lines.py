"""A file of JSON lines that several processes append to.

Each line is one ``write`` on a file opened for appending, which the kernel does not interleave with another's; nothing
is buffered, so a killed process loses nothing it has written down. The file is bounded: beyond its limit it is moved
aside once and begun anew. A line that cannot be written, on a full disk for one, is lost and counted: an order is worth
more than the line that tells of it. The first line that can be written again is preceded by one with that count.
"""

import errno
import fcntl
import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

MAX_BYTES = 64 * 1024 * 1024
"""About 200,000 requests; the one moved aside doubles it."""
CHECK_EVERY = 1_000
"""Lines between two looks at the size: a look costs as much as a line."""

_encode = json.JSONEncoder(default=str).encode
"""All in ASCII: a path may hold characters, such as U+0085 or U+2028, that readers take for the end of a line."""


def rotated_path(path: Path) -> Path:
    """Return where a full file is moved to."""
    return path.with_name(f"{path.stem}.1{path.suffix}")


class JsonLinesFile:
    """Appends JSON lines. The file is opened at the first one.

    Args:
        path: the file; its folder is made.
        max_bytes: size beyond which it is moved aside.
        check_every: lines between two looks at its size.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, check_every: int = CHECK_EVERY) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._check_every = check_every
        self._descriptor: int | None = None
        self._written = 0
        self._lost = 0
        self._torn = False
        self._lock = threading.Lock()

    def write(self, fields: Mapping[str, object]) -> None:
        """Append one line. What JSON cannot say is written as text."""
        self.write_text(_encode(fields))

    def write_text(self, document: str) -> None:
        """Append a JSON document that is already written out, on one line; lose it where that is not possible."""
        line = document.encode("utf-8", "backslashreplace") + b"\n"
        try:
            self._append(self._after_loss() + line if self._lost or self._torn else line)
        except OSError:
            self._lost += 1
            return
        self._lost = 0

    def _append(self, line: bytes) -> None:
        descriptor = self._descriptor
        if descriptor is None or self._written >= self._check_every:
            descriptor = self._reopen()
        self._written += 1  # threads may miss one another's count: it only decides when to look
        written = os.write(descriptor, line)
        self._torn = written < len(line)  # the disk took a part: what follows must begin on a line of its own
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _after_loss(self) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = {"ts": now, "level": "warning", "event": "log_lines_lost", "lines": self._lost}
        return (b"\n" if self._torn else b"") + (f"{_encode(said)}\n".encode() if self._lost else b"")

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _reopen(self) -> int:
        with self._lock:
            self._written = 0
            if self._descriptor is None:
                self._descriptor = self._open()
            elif os.fstat(self._descriptor).st_size > self._max_bytes:
                self._move_aside(self._descriptor)
            return self._descriptor

    def _move_aside(self, full: int) -> None:
        fcntl.flock(full, fcntl.LOCK_EX)  # or two would find it full, and the second move the first one's fresh file
        if self.path.exists() and os.path.samestat(os.fstat(full), self.path.stat()):  # nobody else has done it
            self.path.replace(rotated_path(self.path))
        fcntl.flock(full, fcntl.LOCK_UN)
        fresh = self._open()
        os.dup2(fresh, full)  # the number stays: a thread that holds it writes to the new file
        os.close(fresh)

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
