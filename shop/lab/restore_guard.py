"""A guard beside an experiment or a check: if that is killed, the guard restores the store.

Problem: after kill -9 a process cannot clean up, and the store keeps the switches of an experiment, or runs the
attempt of an exercise, until the next experiment finds the restore file.
Method: a shell waits on a pipe, whose other end only the experiment holds. A line on it means: restored. The end of the
pipe without a line means: killed. Only then the shell becomes a Python process, so the guard costs a megabyte. It has a
session of its own, so a signal to the experiment's group does not reach it.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WAIT = 'read -r restored || exec "$@"'


@contextmanager
def guard_restore(folder: Path) -> Iterator[None]:
    """Let a guard restore the store if this process is killed in the block.

    Args:
        folder: the folder of the restore file.
    """
    command = [sys.executable, "-m", f"{__package__}.restore_killed", str(folder)]
    with subprocess.Popen(
        ["/bin/sh", "-c", WAIT, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as guard:
        try:
            yield
        finally:
            with suppress(BrokenPipeError):  # somebody has ended the guard
                guard.communicate(b"restored\n")
