"""``bin/shop exercise check --watch``: checks again on each save, until Ctrl-C."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import click

from shop.errors import ConfigurationError
from shop.exercises.file_watch import FileWatch

RULE = "─" * 60


def check_on_save(folder: Path, shown: str, check: Callable[[], object]) -> NoReturn:
    """Check now and after each save; a check that is refused is told, and the watch goes on.

    Args:
        folder: of the attempt.
        shown: the folder as the reader knows it.
        check: checks once and prints the verdict.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    watch = FileWatch(folder, lambda text: click.echo(f"shop: {text}", err=True))
    while True:
        try:
            check()
        except ConfigurationError as refused:  # the file was deleted, another check is running, the exercise changed
            click.echo(f"shop: {refused}", err=True)
        click.echo(f"\nWatching {shown}: each save checks again, Ctrl-C ends.")
        watch.wait()
        click.echo(f"\n{RULE}\n{datetime.now().astimezone():%H:%M:%S} saved")
