"""One terminal for all servers: their log files, followed, each line behind its server's name.

The servers write to files of their own, never to a pipe of ours: a server must not fail because the terminal, or the
supervisor, has gone.
"""

import os
import sys
from pathlib import Path
from typing import TextIO

NAME_WIDTH = 8
COLOURS = ("36", "33", "35", "34", "32", "31")
"""ANSI colours, one a server in the order they are met."""
READ_BYTES = 65_536
"""The most one look takes from one log, so that a server that floods its log does not silence the others."""


class StackConsole:
    """Prints what the stack has to say.

    Args:
        out: where to; colours are used on a terminal only.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._coloured = self._out.isatty()
        self._colours: dict[str, str] = {}

    def line(self, name: str, text: str) -> None:
        """Print one line of one server."""
        label = f"{name:<{NAME_WIDTH}} |"
        if self._coloured:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            label = f"\033[{colour}m{label}\033[0m"
        self.plain(f"{label} {text}")

    def say(self, text: str) -> None:
        """Print one line of the supervisor's own."""
        self.line("shop", text)

    def plain(self, text: str) -> None:
        """Print a line as it is. A terminal that has gone is no reason to stop."""
        try:
            self._out.write(f"{text}\n")
            self._out.flush()
        except (OSError, ValueError):
            self.hush()

    def hush(self) -> None:
        """Print nothing from now on. The logs go on."""
        self._out = open(os.devnull, "w")  # noqa: SIM115 - stands in for the terminal to the end
        self._coloured = False


class LogTail:
    """Follows one growing file from where it ends now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def new_lines(self) -> list[str]:
        """Return the whole lines written since the last call."""
        try:
            with self.path.open("rb") as log:
                if os.fstat(log.fileno()).st_size < self._position:
                    self._position = 0  # truncated
                log.seek(self._position)
                found = log.read(READ_BYTES)
        except FileNotFoundError:
            return []
        self._position += len(found)
        *lines, self._rest = (self._rest + found).split(b"\n")
        return [line.decode(errors="replace").rstrip() for line in lines]
