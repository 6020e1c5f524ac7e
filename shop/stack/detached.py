"""Starts the stack in the background, and waits until it is ready."""

import subprocess
import time
from collections.abc import Callable, Sequence

from shop.settings import Settings
from shop.stack import directories
from shop.stack.console import LogTail
from shop.stack.state import StateFile

POLL_S = 0.1


def start_detached(
    settings: Settings,
    argv: Sequence[str],
    print_line: Callable[[str], None],
    print_error: Callable[[str], None],
) -> int:
    """Run a foreground ``bin/shop up`` in its own session; return when the store answers or the start has failed.

    Args:
        settings: where the logs and the state are.
        argv: the foreground command.
        print_line: is called with each line of the command's output until it is ready.
        print_error: is called with each line of its standard error if the start fails.

    Returns:
        The exit code of this command.

    Raises:
        ConfigurationError: the logs cannot be written.
    """
    directories.prepare_directories(settings)
    output, errors = settings.log_dir / "stack.log", settings.run_dir / "up.err"
    tail, state = LogTail(output), StateFile(settings.run_dir)
    with directories.explain_permission_errors(settings), output.open("ab") as out, errors.open("wb") as err:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, cwd="/"
        )
    ready = False
    while child.poll() is None and not ready:
        stored = state.load()
        ready = stored.phase == "ready" and stored.supervisor is not None and stored.supervisor.pid == child.pid
        if not ready:
            _print_new_lines(tail, print_line)
            time.sleep(POLL_S)
    _print_new_lines(tail, print_line)
    if child.returncode is None:
        return 0
    for line in errors.read_text(errors="replace").splitlines():
        print_error(line)
    return child.returncode or 1


def _print_new_lines(tail: LogTail, print_line: Callable[[str], None]) -> None:
    for line in tail.new_lines():
        print_line(line)
