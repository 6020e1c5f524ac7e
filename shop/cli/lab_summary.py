"""Prints the one page about all experiments, in 80 columns."""

import textwrap

import click

from shop.lab.run_summary import NOT_RUN, RunSummary, SummaryRow

COLUMNS = 80
NAME_WIDTH = 26
"""Of the first column: the longest name, with two spaces on each side."""
COLOURS = {"confirmed": "green", "refuted": "red", "look": "cyan", "could not run": "red"}


def print_summary(summary: RunSummary) -> None:
    """Print each verdict with the one figure that the experiment is about."""
    click.echo(f"\n{click.style(textwrap.fill(summary.headline(), COLUMNS), bold=True)}")
    for verdict, rows in summary.groups():
        colour = COLOURS.get(verdict, "yellow")
        click.echo(f"\n{click.style(verdict, bold=True, fg=colour)} ({len(rows)})")
        if verdict == NOT_RUN:
            click.echo(_paragraph(", ".join(row.experiment for row in rows)))
        else:
            click.echo("\n".join(_row_text(row) for row in rows))


def _paragraph(text: str) -> str:
    return textwrap.fill(text, COLUMNS, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _row_text(row: SummaryRow) -> str:
    """Return a row: the name in the first column, the sentence with the figure beside it."""
    text = f"  {row.experiment:<{NAME_WIDTH - 2}}{row.sentence}"
    return textwrap.fill(text, COLUMNS, subsequent_indent=" " * NAME_WIDTH, break_on_hyphens=False)
