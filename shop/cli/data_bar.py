"""The progress bar of a load. Its library is imported only on a terminal."""

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text


class _RowRate(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        """Return the speed; an empty text until it is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="progress.data.speed")


class LoadBar:
    """One bar for all steps, on stderr."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<24}"), BarColumn(bar_width=30), TaskProgressColumn())
        self._bar = RichProgress(
            *columns, _RowRate(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
        )
        self._task = self._bar.add_task("starting", total=None)

    def start(self, total: int, done: int) -> None:
        """Draw the bar.

        Args:
            total: rows of the whole load.
            done: rows that an earlier run has loaded.
        """
        self._bar.update(self._task, total=total or None, completed=done)
        self._bar.start()

    def step(self, name: str) -> None:
        """Show the name of the step that begins."""
        self._bar.update(self._task, description=name)

    def advance(self, rows: int) -> None:
        """Count loaded rows."""
        self._bar.advance(self._task, rows)

    def finish(self) -> None:
        """Remove the bar, also after a failure."""
        self._bar.stop()
