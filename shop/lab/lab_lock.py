"""Lets one experiment or check run at a time: they set the same switches, and would measure each other.

A lock of the kernel ends with its process, also after kill -9. It is held beside the restore file: two stores with two
state directories do not hinder each other.
"""

import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psutil

from shop.atomic_files import make_directory
from shop.errors import ConfigurationError

LOCK_NAME = "running.lock"
"""Tells which process holds the lab. It is never deleted: a lock on a deleted file locks nothing."""
RESTORE_LIMIT_S = 30.0
POLL_S = 0.05


@dataclass(frozen=True)
class LabHolder:
    """The process that holds the lab.

    Args:
        pid: its id.
        command: as a person would type it.
        since: ISO 8601, in UTC.
        restores: whether it only restores the store after a killed one.
    """

    pid: int
    command: str
    since: str
    restores: bool = False

    @classmethod
    def of_this_process(cls, *, restores: bool) -> "LabHolder":
        """Return the holder of a lock that this process takes now."""
        program = Path(sys.argv[0]).name
        command = shlex.join(["bin/shop" if program in ("__main__.py", "shop") else program, *sys.argv[1:]])
        return cls(os.getpid(), command, datetime.now(UTC).isoformat(timespec="seconds"), restores)

    @property
    def is_alive(self) -> bool:
        """Return whether the process still runs; a process that was killed leaves its entry."""
        try:
            return psutil.Process(self.pid).create_time() <= datetime.fromisoformat(self.since).timestamp() + 1
        except psutil.Error:
            return False

    def describe(self) -> str:
        """Return who holds the lab, for a message."""
        return f"pid {self.pid}, `{self.command}`, since {self.since[11:19]} UTC"


def find_holder(folder: Path) -> LabHolder | None:
    """Return the running process that holds the lab; ``None`` if it is free.

    Args:
        folder: the folder of the restore file.
    """
    try:
        holder = _parse((folder / LOCK_NAME).read_text(encoding="utf-8"))
    except OSError:
        return None
    return holder if holder is not None and holder.is_alive else None


@contextmanager
def claim_lab(folder: Path, *, restores: bool = False) -> Iterator[None]:
    """Let the block run while no other experiment or check runs, in this process or in another.

    Args:
        folder: the folder of the restore file; made if it is missing.
        restores: whether the block only restores the store after a killed one; others wait for its end.

    Raises:
        ConfigurationError: another one is running.
    """
    make_directory(folder)  # the store's servers read the restore file, as another account if root started them
    with (folder / LOCK_NAME).open("a+") as file:
        _lock(file)
        file.truncate(0)
        file.write(json.dumps(asdict(LabHolder.of_this_process(restores=restores))))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _lock(file: IO[str]) -> None:
    """Lock the file.

    Raises:
        ConfigurationError: another process holds the lock.
    """
    deadline = time.monotonic() + RESTORE_LIMIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            file.seek(0)
            holder = _parse(file.read())
            if holder is None or not holder.restores or time.monotonic() > deadline:
                described = holder.describe() if holder else "it has just begun"
                raise ConfigurationError(
                    f"Another check or experiment is running ({described}): wait for its end, or stop it first."
                ) from None
        time.sleep(POLL_S)


def _parse(text: str) -> LabHolder | None:
    """Return the holder that a lock file names; ``None`` if it is empty, half written or of an older release."""
    try:
        return LabHolder(**json.loads(text))
    except (ValueError, TypeError):
        return None
