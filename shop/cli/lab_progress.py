"""The progress of an experiment: a bar on a terminal, a line for each phase in a pipe or a file."""

import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from shop.lab.runner import ProgressWatcher


class SilentWatcher:
    """Shows nothing."""

    def phase(self, text: str) -> None:
        """Ignore the start of a phase."""

    def advance(self, seconds: float) -> None:
        """Ignore the time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


class BothWatchers:
    """Tells two watchers.

    Args:
        watchers: the terminal, and the file for the lab's page.
    """

    def __init__(self, *watchers: ProgressWatcher) -> None:
        self._watchers = watchers

    def phase(self, text: str) -> None:
        """Show that another phase begins."""
        for watcher in self._watchers:
            watcher.phase(text)

    def advance(self, seconds: float) -> None:
        """Show that time has passed."""
        for watcher in self._watchers:
            watcher.advance(seconds)


class PhaseLines(SilentWatcher):
    """A line on stderr for each phase; several rounds of a warm-up have one line.

    Args:
        seconds: the expected duration of the experiment.
    """

    def __init__(self, seconds: float) -> None:
        self._latest = ""
        click.echo(f"Takes about {seconds:.0f} s, longer on a busy machine.", err=True)

    def phase(self, text: str) -> None:
        """Print the name of the phase that begins."""
        if text != self._latest:
            click.echo(text, err=True)
        self._latest = text


class ExperimentBar(SilentWatcher):
    """A progress bar on stderr, by time.

    Args:
        seconds: the expected duration of the experiment.
    """

    def __init__(self, seconds: float) -> None:
        click.echo(f"Takes about {seconds:.0f} s, longer on a busy machine.", err=True)
        columns = (BarColumn(bar_width=30), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("starting", total=seconds)
        self._began = time.monotonic()

    def phase(self, text: str) -> None:
        """Show the name of the phase that begins."""
        self._progress.update(self._task, description=text)

    def advance(self, seconds: float) -> None:
        """Advance the bar to the elapsed time; the store was busy between two calls, too."""
        self._progress.update(self._task, completed=time.monotonic() - self._began)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()
