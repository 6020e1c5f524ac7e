"""How far a load is: a bar with its speed on a terminal, one plain line a step anywhere else."""

import time

import click
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from shop.datasets.progress import Progress

QUIET_S = 1.0
"""A log file gets at most one line in this time: the steps of a small load come by the dozen."""


def shown() -> Progress:
    """Return the bar when a person watches stderr, lines otherwise."""
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else Lines()


class _Speed(ProgressColumn):
    """Rows a second, as they come."""

    def render(self, task: Task) -> Text:
        """Return the speed, once there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="progress.data.speed")


class Bar:
    """One bar over all steps.

    Args:
        console: where it is drawn.
    """

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description:<24}"), BarColumn(bar_width=30), TaskProgressColumn())
        self._bar = RichProgress(*columns, _Speed(), TimeRemainingColumn(), console=console, transient=True)
        self._task = self._bar.add_task("starting", total=None)

    def start(self, total: int, done: int) -> None:
        """Draw the bar; what an earlier run loaded counts as done."""
        self._bar.update(self._task, total=total or None, completed=done)
        self._bar.start()

    def step(self, name: str) -> None:
        """Name the step."""
        self._bar.update(self._task, description=name)

    def advance(self, rows: int) -> None:
        """Move on."""
        self._bar.advance(self._task, rows)

    def finish(self) -> None:
        """Take the bar away, also after a failure."""
        self._bar.stop()


class Lines:
    """A line now and then: for logs and pipes."""

    def __init__(self) -> None:
        self._total = self._done = 0
        self._spoke_at = 0.0

    def start(self, total: int, done: int) -> None:
        """Say how much there is to do."""
        self._total, self._done = total, done
        if total:
            click.echo(
                f"loading about {total:,} rows" + (f", {done:,} of them there already" if done else ""), err=True
            )

    def step(self, name: str) -> None:
        """Say what comes, unless something was said just now."""
        now = time.monotonic()
        if now - self._spoke_at >= QUIET_S:
            self._spoke_at = now
            click.echo(f"{self._done / max(1, self._total):4.0%}  {name}", err=True)

    def advance(self, rows: int) -> None:
        """Count."""
        self._done += rows

    def finish(self) -> None:
        """Say nothing: the command's result follows."""
