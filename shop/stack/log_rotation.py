"""Limits the logs of running servers. A server keeps its log file open and cannot open another one.

Such a file is copied and then truncated. Its writers append, so the next line starts at the new end. Lines that are
written between the copy and the truncation are lost: a few lines of a log that is far too large.
"""

import os
import shutil
from pathlib import Path

MAX_LOG_BYTES = 10_000_000
"""Of one server's log; the rotated copy doubles it."""


def rotate_all_logs(log_dir: Path) -> None:
    """Rotate every server's log that has grown too large."""
    for log in log_dir.glob("*.log"):
        rotate_log(log)


def rotate_log(log: Path) -> bool:
    """Truncate a log that has grown too large, and keep its content in place of the previous copy.

    On a full disk no copy is kept: the space must be freed. A symbolic link in place of the log is left alone: a server
    may have fewer rights than the process that rotates its log.

    Args:
        log: a file that its writer has opened for appending.

    Returns:
        Whether the log was truncated.
    """
    copy = log.with_suffix(".log.1")
    try:
        with os.fdopen(os.open(log, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), "r+b") as content:
            if os.fstat(content.fileno()).st_size <= MAX_LOG_BYTES:
                return False
            copy.unlink(missing_ok=True)
            try:
                with copy.open("xb") as target:
                    shutil.copyfileobj(content, target)
            except OSError:
                copy.unlink(missing_ok=True)
            os.ftruncate(content.fileno(), 0)
    except OSError:
        return False
    return True
