"""Stops the stack, from another terminal or after its supervisor was killed."""

import signal
from collections.abc import Callable

from shop.settings import Settings
from shop.stack import process_identity
from shop.stack.state import StateFile

SUPERVISOR_TIMEOUT_S = 60.0
"""Longer than a stop in which all servers but one use their whole timeout. Then the supervisor is killed, and its
servers are stopped without it."""


def stop_stack(settings: Settings, print_line: Callable[[str], None]) -> bool:
    """Stop the stack; return whether there was one.

    Raises:
        ConfigurationError: it belongs to another user.
    """
    state_file = StateFile(settings.run_dir)
    state = state_file.load()
    if not state.is_running:
        return False
    if state.supervisor is not None:
        process_identity.stop(state.supervisor, signal.SIGTERM, SUPERVISOR_TIMEOUT_S)
    stop_leftovers(state_file, print_line)
    return True


def stop_leftovers(state_file: StateFile, print_line: Callable[[str], None]) -> None:
    """Stop the servers that a killed supervisor left running, last started first. Other processes are left alone."""
    state = state_file.load()
    for name, record in reversed(state.processes.items()):
        if record.identity.alive:
            print_line(f"stopping {name} (pid {record.pid}), left over from a stack that was killed")
            process_identity.stop(record.identity, record.stop_signal, record.stop_timeout_s)
    if state.processes or state.phase != "stopped":
        state_file.update(phase="stopped", supervisor=None, processes={})
