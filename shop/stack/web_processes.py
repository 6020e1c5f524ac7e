"""Changes the number of web processes while the server runs: gunicorn starts one on SIGTTIN, ends one on SIGTTOU."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress


class WebProcessCount:
    """The wanted and the current number of web processes.

    One signal a round: two of the same number that arrive together would count as one.

    Args:
        find_pid: returns the id of gunicorn's parent process, ``None`` while it does not run.
        initial: the number with which gunicorn starts.
    """

    def __init__(self, find_pid: Callable[[], int | None], initial: int) -> None:
        self._find_pid, self._initial = find_pid, initial
        self._pid, self._count = find_pid(), initial
        self.wanted = initial

    def run_once(self) -> None:
        """Bring the number one step nearer to the wanted one; a restarted server begins with its initial number."""
        pid = self._find_pid()
        if pid is None:
            return
        if pid != self._pid:
            self._pid, self._count = pid, self._initial
        if self._count != self.wanted:
            more = self.wanted > self._count
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTTIN if more else signal.SIGTTOU)
                self._count += 1 if more else -1
