"""How far a load is: a bar with its speed on a terminal, one plain line a step anywhere else."""

import sys
import time

import click

from shop.datasets.progress import LoadProgress

MIN_INTERVAL_S = 1.0
"""A log file gets at most one line in this time: the steps of a small load come by the dozen."""
MAX_SILENCE_S = 10.0
"""A step that takes longer than this says how far it is."""


def build_progress() -> LoadProgress:
    """Return the bar when a person watches stderr, lines otherwise."""
    if not sys.stderr.isatty():
        return LineProgress()
    from shop.cli.data_bar import LoadBar

    return LoadBar()


class LineProgress:
    """A line now and then: for logs and pipes."""

    def __init__(self) -> None:
        self._total = self._done = 0
        self._spoke_at = 0.0
        self._step = ""

    def start(self, total: int, done: int) -> None:
        """Say how much there is to do."""
        self._total, self._done = total, done
        if total:
            click.echo(
                f"loading about {total:,} rows" + (f", {done:,} of them there already" if done else ""), err=True
            )

    def step(self, name: str) -> None:
        """Say what comes, unless something was said just now."""
        self._step = name
        self._say(MIN_INTERVAL_S)

    def advance(self, rows: int) -> None:
        """Count, and speak where nothing was said for long."""
        self._done += rows
        self._say(MAX_SILENCE_S)

    def finish(self) -> None:
        """Say nothing: the command's result follows."""

    def _say(self, after_s: float) -> None:
        now = time.monotonic()
        if now - self._spoke_at >= after_s:
            self._spoke_at = now
            share = f"{self._done / self._total:4.0%}" if self._total else f"{self._done:,} rows"
            click.echo(f"{share}  {self._step}", err=True)
