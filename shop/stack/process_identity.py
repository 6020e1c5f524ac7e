"""Identifies a process of the stack by its id and its creation time.

The kernel uses process ids again. With the creation time as well, a signal never reaches another process that got the
id of an ended server.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from shop.errors import ConfigurationError

CREATED_TOLERANCE_S = 2.0
"""The kernel counts creation in ticks since boot. A step of the wall clock changes the computed time a little."""
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, for good."""

    pid: int
    created: float
    """Seconds since the epoch."""

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the identity of a running process, or ``None`` if no process has that id."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """Return the process while it runs; ``None`` if it has ended, is a zombie, or another process has its id."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.created) <= CREATED_TOLERANCE_S
            return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        """Return whether the process still runs."""
        return self.process() is not None

    def wait_until_ended(self, timeout_s: float) -> bool:
        """Wait until the process has ended; return whether it has."""
        deadline = time.monotonic() + timeout_s
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def stop(identity: ProcessIdentity, stop_signal: int, timeout_s: float) -> None:
    """Send a process group's leader a stop signal, then kill the rest of the group. Other processes are left alone.

    Args:
        identity: the leader.
        stop_signal: the signal for a clean stop.
        timeout_s: seconds for a clean stop.

    Raises:
        ConfigurationError: the process runs as another user.
    """
    leader = identity.process()
    if leader is None:
        return
    try:
        os.kill(identity.pid, stop_signal)
        with suppress(psutil.Error):  # a process that the fault `hang` has stopped could not react to the signal
            for process in (leader, *leader.children(recursive=True)):
                if process.status() == psutil.STATUS_STOPPED:
                    process.resume()
        if not identity.wait_until_ended(timeout_s):
            kill_group(identity.pid)
            identity.wait_until_ended(timeout_s)
    except ProcessLookupError:
        return
    except PermissionError:
        raise ConfigurationError(f"Process {identity.pid} runs as another user: stop the stack as that user.") from None


def kill_group(leader_pid: int) -> None:
    """Kill every process of a server's group. The kernel gives the id to no other process while the group lives."""
    try:
        os.killpg(leader_pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
