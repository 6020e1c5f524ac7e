"""Bringing the stack down, from another terminal, or after its supervisor was killed."""

import signal
from collections.abc import Callable

from shop.settings import Settings
from shop.stack import process_identity
from shop.stack.state import StateFile

SUPERVISOR_TIMEOUT_S = 60.0
"""More than a stop takes with every server at its bound but one; then the supervisor is killed and cleaned up after."""


def run(settings: Settings, say: Callable[[str], None]) -> bool:
    """Stop the stack; tell whether there was one.

    Raises:
        ConfigurationError: it belongs to another user.
    """
    state = StateFile(settings.run_dir)
    found = state.load()
    if not found.runs:
        return False
    if found.supervisor is not None:
        process_identity.stop(found.supervisor, signal.SIGTERM, SUPERVISOR_TIMEOUT_S)
    stop_leftovers(state, say)
    return True


def stop_leftovers(state: StateFile, say: Callable[[str], None]) -> None:
    """Stop what a stack that ended abruptly left running; last started first. Strangers are left alone."""
    found = state.load()
    for name, record in reversed(found.processes.items()):
        if record.identity.alive:
            say(f"stopping {name} (pid {record.pid}), left over from a stack that was killed")
            process_identity.stop(record.identity, record.stop_signal, record.stop_timeout_s)
    if found.processes or found.phase != "stopped":
        state.update(phase="stopped", supervisor=None, processes={})
