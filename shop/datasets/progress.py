"""Progress of a load: a terminal shows a bar, a log file gets lines, a test gets nothing."""

from typing import Protocol


class LoadProgress(Protocol):
    """Receives the progress of a load."""

    def start(self, total: int, done: int) -> None:
        """Loading begins: about ``total`` rows in all, ``done`` of them loaded by an earlier run.

        Called with (0, 0) before the source is read, and again after it.
        """

    def step(self, name: str) -> None:
        """The step ``name`` begins."""

    def advance(self, rows: int) -> None:
        """The step has sent ``rows`` more rows."""

    def finish(self) -> None:
        """Everything is loaded."""


class SilentProgress:
    """Reports nothing."""

    def start(self, total: int, done: int) -> None:
        """Report nothing."""

    def step(self, name: str) -> None:
        """Report nothing."""

    def advance(self, rows: int) -> None:
        """Report nothing."""

    def finish(self) -> None:
        """Report nothing."""
