"""The bar with which a load shows how far it is; its library is loaded only where somebody watches."""

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text


class _RowRate(ProgressColumn):
    """Rows a second, as they come."""

    def render(self, task: Task) -> Text:
        """Return the speed, once there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="progress.data.speed")


class LoadBar:
    """One bar over all steps, on stderr."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<24}"), BarColumn(bar_width=30), TaskProgressColumn())
        self._bar = RichProgress(
            *columns, _RowRate(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
        )
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
