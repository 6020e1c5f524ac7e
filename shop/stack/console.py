"""Shows the log files of all servers on one terminal, each line after its server's name.

Each server writes to its own file, never to a pipe of the supervisor: a server must not fail because the terminal has
closed or the supervisor has ended.
"""

import os
import sys
from pathlib import Path
from typing import TextIO

NAME_WIDTH = 8
COLOURS = ("36", "33", "35", "34", "32", "31")
"""ANSI colours, one for each server in the order of their first lines."""
READ_BYTES = 65_536
"""The most that one round reads from one log, so that a server with a flood of lines does not delay the others."""


class StackConsole:
    """Prints the lines of the servers and of the supervisor.

    Args:
        out: the stream; only a terminal gets colours.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._coloured = self._out.isatty()
        self._colours: dict[str, str] = {}

    def line(self, name: str, text: str) -> None:
        """Print one line of a server."""
        label = f"{name:<{NAME_WIDTH}} |"
        if self._coloured:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            label = f"\033[{colour}m{label}\033[0m"
        self.plain(f"{label} {text}")

    def say(self, text: str) -> None:
        """Print one line of the supervisor."""
        self.line("shop", text)

    def plain(self, text: str) -> None:
        """Print a line without a name. If the terminal has closed, the stack goes on without it."""
        try:
            self._out.write(f"{text}\n")
            self._out.flush()
        except (OSError, ValueError):
            self.mute()

    def mute(self) -> None:
        """Print nothing from now on. The log files go on."""
        self._out = open(os.devnull, "w")  # noqa: SIM115 - replaces the terminal until the end
        self._coloured = False


class LogTail:
    """Follows one growing file from its present end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._incomplete = b""

    def new_lines(self) -> list[str]:
        """Return the whole lines written since the last call."""
        try:
            with self.path.open("rb") as log:
                if os.fstat(log.fileno()).st_size < self._position:
                    self._position = 0  # truncated
                log.seek(self._position)
                content = log.read(READ_BYTES)
        except FileNotFoundError:
            return []
        self._position += len(content)
        *lines, self._incomplete = (self._incomplete + content).split(b"\n")
        return [line.decode(errors="replace").rstrip() for line in lines]
