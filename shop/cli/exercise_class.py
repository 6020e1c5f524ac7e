"""``bin/shop exercise export`` and ``collect``: the progress of a learner in one file, and the table of a class."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from shop.atomic_files import atomic_write
from shop.cli import EXIT_FAILED
from shop.cli.output import emit
from shop.errors import ConfigurationError
from shop.exercises.class_report import ClassReport, LearnerRow, collect_class
from shop.exercises.definition import CHAPTERS, load_definitions
from shop.exercises.exercise_list import Definitions
from shop.exercises.progress import ProgressFile
from shop.exercises.progress_export import UnreadableExport, build_export, export_file_name, read_export, validate_name
from shop.settings import load_settings

FORM: Any = {"box": SIMPLE_HEAD, "show_edge": False, "pad_edge": False, "padding": (0, 1, 0, 0)}
"""So little between the columns that all of them fit into 80 characters."""


@click.command()
@click.option("--name", default="", help="Your name, as your teacher shall see it.  [default: none]")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write.  [default: shop-exercises-NAME.json]")
def export(name: str, out: Path | None) -> None:
    """Write your progress and your answers into one file, to hand it in.

    The file has no personal data but the name that you give.
    """
    settings, definitions = load_settings(), load_definitions()
    path = out or Path(export_file_name(validate_name(name)))
    _refuse_other_file(path)
    progress = ProgressFile(settings.var_dir).load()
    content = build_export(definitions, progress, settings.exercises_dir, name, datetime.now(UTC))
    try:
        atomic_write(path, content.model_dump_json(indent=1) + "\n", mode=0o644)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None
    passed = sum(one.passed_at is not None for one in content.progress.exercises.values())
    click.echo(f"{path}: {passed} of {len(definitions)} exercises passed, answers in {len(content.answers)}.")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def collect(folder: Path, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Show the table of a class, from the files in DIR that `bin/shop exercise export` wrote.

    A file that is damaged, or of a newer release, is named and skipped. Exit code 1 if no file could be used.
    """
    definitions = load_definitions()
    report = collect_class(definitions, folder)
    emit(report.to_dict(), "", as_json=True) if as_json else _print_report(definitions, report)
    for file, reason in report.skipped.items():
        click.echo(f"Skipped {file}: {reason}.", err=True)
    if not report.learners:
        click.echo(f"shop: {folder} has no file of a learner.", err=True)
        sys.exit(EXIT_FAILED)


def _refuse_other_file(path: Path) -> None:
    """Refuse to overwrite a file that is not an earlier export.

    Raises:
        ConfigurationError: it is not.
    """
    if path.exists():
        try:
            read_export(path)
        except UnreadableExport:
            raise ConfigurationError(f"{path} exists and is no earlier export: name another file by --out.") from None


def _print_report(definitions: Definitions, report: ClassReport) -> None:
    if not report.learners:
        return
    console = Console()
    totals = {chapter: sum(one.chapter == chapter for one in definitions.values()) for chapter in CHAPTERS}
    whole = (Column(title, no_wrap=True) for title in ("checks", "hints", "last pass"))
    chapters = (Column(title, no_wrap=True) for title in CHAPTERS)
    table = Table("learner", *chapters, "begun", "gave up", *whole, **FORM)
    for row in report.learners:
        table.add_row(*map(escape, _cells(row, totals)))
    console.print(table)
    console.print()
    exercises = Table("exercise", "passed", "begun", "gave up", "stopped at", **FORM)
    for one in report.exercises:
        stops = ", ".join(f"{name} {count}" for name, count in one.stopped_at.items())
        cells = (f"{one.label} {one.title}", str(one.passed), str(one.begun), str(one.gave_up), stops)
        exercises.add_row(*map(escape, cells))
    console.print(exercises)


def _cells(row: LearnerRow, totals: dict[str, int]) -> tuple[str, ...]:
    chapters = [f"{row.passed[chapter]} of {total}" for chapter, total in totals.items()]
    day = f"{row.last_pass:%Y-%m-%d}" if row.last_pass else ""
    return (row.name, *chapters, " ".join(row.begun), " ".join(row.gave_up), str(row.checks), str(row.hints), day)
