"""The progress of the running experiment or load, in a file that the lab's page reads."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from shop.atomic_files import atomic_write
from shop.lab.lab_lock import LabHolder

FILE_NAME = "progress.json"
WRITE_EVERY_S = 0.5


@dataclass(frozen=True)
class LabProgress:
    """How far the running command is.

    Args:
        pid: of the command.
        phase: what happens now.
        done_s: seconds since its start.
        expected_s: about how long it takes.
    """

    pid: int
    phase: str
    done_s: float
    expected_s: float


class RunProgressFile:
    """Writes the progress, at most twice a second.

    Args:
        folder: ``var/lab``.
        expected_s: about how long the command takes.
        now: the clock, in seconds.
    """

    def __init__(self, folder: Path, expected_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._expected_s, self._now = folder / FILE_NAME, expected_s, now
        self._began, self._written, self._phase = now(), -WRITE_EVERY_S, "starting"

    def phase(self, text: str) -> None:
        """Write that another phase begins."""
        self._phase = text
        self._write()

    def advance(self, seconds: float) -> None:
        """Write that time has passed, unless that was written just now."""
        if self._now() - self._written >= WRITE_EVERY_S:
            self._write()

    def delete(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written = self._now()
        progress = LabProgress(os.getpid(), self._phase, round(self._written - self._began, 1), self._expected_s)
        atomic_write(self._path, json.dumps(asdict(progress)))


@contextmanager
def show_progress(folder: Path, expected_s: float) -> Iterator[RunProgressFile]:
    """Keep a file of the progress during the block; the caller holds the lab.

    Args:
        folder: ``var/lab``.
        expected_s: about how long the command takes.
    """
    file = RunProgressFile(folder, expected_s)
    try:
        yield file
    finally:
        file.delete()


def read_progress(folder: Path, holder: LabHolder | None) -> LabProgress | None:
    """Return the progress of the process that holds the lab; ``None`` if there is none.

    Args:
        folder: ``var/lab``.
        holder: the process that holds the lab.
    """
    try:
        progress = LabProgress(**json.loads((folder / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return progress if holder is not None and progress.pid == holder.pid else None
