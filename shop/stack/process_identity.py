"""Which process is ours.

Process ids are used again. A process is known by its id together with the moment it was created, so that nothing is
ever sent a signal because it was given a number that used to be ours.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from shop.errors import ConfigurationError

SAME_MOMENT_S = 2.0
"""The kernel counts creation in ticks since boot; stepping the wall clock moves what we compute from it a little."""
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, for good."""

    pid: int
    created: float
    """Seconds since the epoch."""

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the identity of a running process, or ``None`` if there is none of that id."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """Return the process if it still runs; ``None`` for a finished one, a zombie, or another one of that id."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.created) <= SAME_MOMENT_S
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self.process() is not None

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until it has ended; tell whether it has."""
        deadline = time.monotonic() + timeout_s
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def stop(identity: ProcessIdentity, stop_signal: int, timeout_s: float) -> None:
    """Ask a process group's leader to stop, then kill what is left of the group. A stranger is left alone.

    Raises:
        ConfigurationError: it runs as another user.
    """
    if not identity.alive:
        return
    try:
        os.kill(identity.pid, stop_signal)
        _resume(identity)
        if not identity.wait_gone(timeout_s):
            kill_group(identity.pid)
            identity.wait_gone(timeout_s)
    except ProcessLookupError:
        return
    except PermissionError:
        raise ConfigurationError(f"Process {identity.pid} runs as another user: stop the stack as that user.") from None


def _resume(identity: ProcessIdentity) -> None:
    """Let a process that a fault has stopped go on, with all it has made: stopped, it could not obey."""
    leader = identity.process()
    with suppress(psutil.Error):
        for process in (leader, *leader.children(recursive=True)) if leader else ():
            if process.status() == psutil.STATUS_STOPPED:
                process.resume()


def kill_group(leader_pid: int) -> None:
    """Kill every process of the group a leader of ours made; the kernel gives no id away while its group lives."""
    try:
        os.killpg(leader_pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
