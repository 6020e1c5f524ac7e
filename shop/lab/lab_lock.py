"""Lets one experiment or check run at a time: they set the same switches, and would measure each other.

A lock of the kernel ends with its process, also after kill -9. It is held beside the restore file: two stores with two
state directories do not hinder each other.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shop.atomic_files import make_directory
from shop.errors import ConfigurationError

LOCK_NAME = "running.lock"
"""Holds the pid of the running experiment or check. It is never deleted: a lock on a deleted file locks nothing."""
RESTORES = "restores"
"""Follows the pid of a process that only restores the store after a killed one."""
RESTORE_LIMIT_S = 30.0
POLL_S = 0.05


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
        file.write(f"{os.getpid()} {RESTORES}" if restores else str(os.getpid()))
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
            pid, _, purpose = file.read().partition(" ")
            if purpose != RESTORES or time.monotonic() > deadline:
                raise ConfigurationError(
                    f"Another check or experiment is running (pid {pid}): wait for its end, or stop it first."
                ) from None
        time.sleep(POLL_S)
