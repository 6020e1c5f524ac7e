"""Starting the stack in the background, and waiting here until it is up."""

import subprocess
import time
from collections.abc import Callable, Sequence

from shop.settings import Settings
from shop.stack import directories
from shop.stack.console import LogTail
from shop.stack.state import StateFile

POLL_S = 0.1


def run(settings: Settings, argv: Sequence[str], say: Callable[[str], None], complain: Callable[[str], None]) -> int:
    """Run a foreground ``shop up`` in a session of its own; return once the store answers, or it has failed.

    Args:
        settings: where its logs and its state are.
        argv: the foreground command.
        say: takes each line of its output up to then.
        complain: takes each line it wrote to its standard error, if it failed.

    Returns:
        The exit code to end with.

    Raises:
        ConfigurationError: the logs cannot be written.
    """
    directories.make(settings)
    output, faults = settings.log_dir / "stack.log", settings.run_dir / "up.err"
    tail = LogTail(output)
    with directories.explained(settings), output.open("ab") as out, faults.open("wb") as err:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, cwd="/"
        )
    while child.poll() is None and not _ready(settings, child.pid):
        _relay(tail, say)
        time.sleep(POLL_S)
    _relay(tail, say)
    if child.returncode is None:
        return 0
    for line in faults.read_text(errors="replace").splitlines():
        complain(line)
    return child.returncode or 1


def _relay(tail: LogTail, say: Callable[[str], None]) -> None:
    for line in tail.new_lines():
        say(line)


def _ready(settings: Settings, pid: int) -> bool:
    state = StateFile(settings.run_dir).load()
    return state.phase == "ready" and state.supervisor is not None and state.supervisor.pid == pid
