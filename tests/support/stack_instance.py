"""A stack for tests, with its own directory and port, and its `shop` command."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shop.patterns.observability.request_lines import find_request_lines
from shop.settings import load_settings
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import free_port
from shop.stack.state import StateFile
from shop.stack.status import StackReport, collect_report

TIMEOUT_S = 120


class StackInstance:
    """One user's directory and port.

    Args:
        var: the directory; PostgreSQL, which may run as another user, must get there.
    """

    def __init__(self, var: Path) -> None:
        var.chmod(0o755)
        self.var, self.port = var, free_port()
        self.environment = {
            **os.environ,
            "SHOP_VAR_DIR": str(var),
            "SHOP_PORT": str(self.port),
            "SHOP_WORKERS": "1",  # starts sooner; few tests need two
        }
        self._settings = load_settings({}, var_dir=var, port=self.port)

    @property
    def command(self) -> Sequence[str]:
        """Return the command that runs `shop`."""
        return (sys.executable, "-m", "shop.cli")

    def shop(self, *words: str, timeout_s: float = TIMEOUT_S, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a `shop` command in a separate process."""
        return subprocess.run(
            [*self.command, *words],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def up(self, *words: str, **environment: str) -> str:
        """Start the stack in the background; return the output."""
        done = self.shop("up", "--detach", *words, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        """Return the document of `bin/shop status --json`."""
        return dict(json.loads(self.shop("status", "--json").stdout))

    def look(self) -> StackReport:
        """Return the status without a process, for repeated calls."""
        return collect_report(self._settings)

    def state(self) -> StateFile:
        """Return the state file of the supervisor."""
        return StateFile(self.var / "run")

    def processes_in_log(self, request_id: str) -> set[str]:
        """Return the processes with a log line of a request."""
        return {str(line["process"]) for line in find_request_lines(self.var / "log", request_id)}

    def identities(self) -> Sequence[ProcessIdentity]:
        """Return all processes, the supervisor first."""
        state = self.state().load()
        assert state.supervisor is not None
        return [state.supervisor, *(record.identity for record in state.processes.values())]
