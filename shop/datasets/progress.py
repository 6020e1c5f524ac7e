"""How a load reports where it is; a terminal shows a bar, a log file gets lines, a test gets nothing."""

from typing import Protocol


class LoadProgress(Protocol):
    """Told of what happens while data is loaded."""

    def start(self, total: int, done: int) -> None:
        """Loading begins: about ``total`` rows in all, ``done`` of them there from an earlier run.

        Said once before the source is read, when nothing is known (0, 0), and once after.
        """

    def step(self, name: str) -> None:
        """The step ``name`` begins."""

    def advance(self, rows: int) -> None:
        """So many more rows were made and sent."""

    def finish(self) -> None:
        """Everything is loaded."""


class SilentProgress:
    """Says nothing."""

    def start(self, total: int, done: int) -> None:
        """Say nothing."""

    def step(self, name: str) -> None:
        """Say nothing."""

    def advance(self, rows: int) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""
