"""Lets this process be replaced by a new one, because a thread of it can no longer be used."""

import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shop.exercises.in_store.process_guards import end_process

DRAIN_S = 1.0
"""Seconds for the other requests of the process to finish."""
START_S = 2.0
"""Seconds that the new process has to start before the next one may end: not all processes are away at once."""
EXIT_CODE = 75
"""EX_TEMPFAIL of sysexits.h: start it again."""

_log = logging.getLogger("shop.exercises")


class ProcessReplacement:
    """Ends this process in an orderly way. Its parent (gunicorn, or the supervisor of the stack) starts a new one.

    Args:
        folder: of all processes of this machine; one of them at a time is replaced.
        before_exit: called last.
    """

    def __init__(self, folder: Path, before_exit: Callable[[], None]) -> None:
        self._lock_file = folder / "replacing.lock"
        self._before_exit = before_exit
        self._requested = threading.Event()

    def request(self, reason: str) -> None:
        """Begin, in a thread of its own; a second request changes nothing.

        Args:
            reason: for the log.
        """
        if not self._requested.is_set():
            self._requested.set()
            threading.Thread(target=self._replace, args=(reason,), name="attempt-replacement", daemon=True).start()

    def _replace(self, reason: str) -> None:
        with self._lock_file.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel releases it at the end of the process
            last = os.fstat(lock.fileno())
            if last.st_size:  # it tells of the replacement of another process
                time.sleep(min(START_S, max(0.0, last.st_mtime + START_S - time.time())))
            _log.warning("process_replaced", extra={"reason": reason})
            os.kill(os.getpid(), signal.SIGTERM)  # it takes no new request, and finishes those that it has
            time.sleep(DRAIN_S)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            self._before_exit()
            end_process(EXIT_CODE)
