"""The progress of a load: a bar with its speed on a terminal, else a plain line from time to time."""

import sys
import time

import click

from shop.datasets.progress import LoadProgress

MIN_INTERVAL_S = 1.0
"""The shortest time between the lines of two steps: a small load has a dozen steps in a second."""
MAX_SILENCE_S = 10.0
"""A longer step prints its progress after this time."""


def build_progress() -> LoadProgress:
    """Return the bar if stderr is a terminal, else the progress in lines."""
    if not sys.stderr.isatty():
        return LineProgress()
    from shop.cli.data_bar import LoadBar

    return LoadBar()


class LineProgress:
    """Prints a line from time to time: for logs and pipes."""

    def __init__(self) -> None:
        self._total = self._done = 0
        self._printed_at = 0.0
        self._step = ""

    def start(self, total: int, done: int) -> None:
        """Print the number of rows.

        Args:
            total: rows of the whole load.
            done: rows that an earlier run has loaded.
        """
        self._total, self._done = total, done
        if total:
            loaded = f", {done:,} of them already loaded" if done else ""
            click.echo(f"loading about {total:,} rows{loaded}", err=True)

    def step(self, name: str) -> None:
        """Print the name of the step that begins, unless a line was printed a moment ago."""
        self._step = name
        self._print_after(MIN_INTERVAL_S)

    def advance(self, rows: int) -> None:
        """Count loaded rows; print the progress if no line was printed for long."""
        self._done += rows
        self._print_after(MAX_SILENCE_S)

    def finish(self) -> None:
        """Print nothing: the result of the command follows."""

    def _print_after(self, silence_s: float) -> None:
        now = time.monotonic()
        if now - self._printed_at >= silence_s:
            self._printed_at = now
            click.echo(f"{self._share()}{self._step}", err=True)

    def _share(self) -> str:
        if self._total:
            return f"{self._done / self._total:4.0%}  "
        return f"{self._done:,} rows  " if self._done else ""
