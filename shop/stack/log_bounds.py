"""Bounds the logs of running servers, which write to a file that was opened for them and cannot open another.

Such a file is copied aside and cut. Its writers append, so the next line stands at its new end. What is written between
copy and cut is lost: some lines of a log that has grown beyond all measure.
"""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

LOG_KEPT_BYTES = 10_000_000
"""Of a server's log; the one put aside doubles it."""


def put_aside_all(log_dir: Path) -> None:
    """Put aside every server's log that has grown too large."""
    for log in log_dir.glob("*.log"):
        put_aside(log)


def put_aside(log: Path) -> bool:
    """Cut a log that has grown too large, and keep a copy of what it held in place of the one before.

    On a full disk there is no copy: what fills it must go. A link in place of a file is left alone: the servers may
    have fewer rights than the one who cuts their logs.

    Args:
        log: opened for appending by whoever writes to it.

    Returns:
        Whether it was cut.
    """
    try:
        with os.fdopen(os.open(log, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), "r+b") as held:
            if os.fstat(held.fileno()).st_size <= LOG_KEPT_BYTES:
                return False
            _copy(held, log.with_suffix(".log.1"))
            os.ftruncate(held.fileno(), 0)
    except OSError:
        return False
    return True


def _copy(held: BinaryIO, aside: Path) -> None:
    aside.unlink(missing_ok=True)
    try:
        with aside.open("xb") as kept:
            shutil.copyfileobj(held, kept)
    except OSError:
        aside.unlink(missing_ok=True)
