"""A user's checkout for tests: a directory and a port of its own, and the `shop` command in it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shop.cli import logs
from shop.settings import load_settings
from shop.stack import status as looking
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import free_port
from shop.stack.state import StateFile

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
            "SHOP_WORKERS": "1",  # starts sooner, and few tests are about two
        }
        self._settings = load_settings({}, var_dir=var, port=self.port)

    @property
    def command(self) -> Sequence[str]:
        """Return what the user types in place of `shop`."""
        return (sys.executable, "-m", "shop.cli")

    def shop(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command as its user does, in a process of its own."""
        return subprocess.run(
            [*self.command, *words],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )

    def up(self, *words: str, **environment: str) -> str:
        """Start the stack in the background; return what was said."""
        done = self.shop("up", "--detach", *words, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        """Return what the command says."""
        return dict(json.loads(self.shop("status", "--json").stdout))

    def look(self) -> looking.StackReport:
        """Return what the command looks at; costs no process, for what is asked again and again."""
        return looking.collect_report(self._settings)

    def state(self) -> StateFile:
        """Return what the supervisor writes down."""
        return StateFile(self.var / "run")

    def processes_in_log(self, request_id: str) -> set[str]:
        """Return which processes have a line of a request in their logs."""
        return {str(line["process"]) for line in logs.find_request_lines(self.var / "log", request_id)}

    def identities(self) -> Sequence[ProcessIdentity]:
        """Return all there is, the supervisor first."""
        state = self.state().load()
        assert state.supervisor is not None
        return [state.supervisor, *(record.identity for record in state.processes.values())]
