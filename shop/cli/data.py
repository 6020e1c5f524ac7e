"""``bin/shop seed`` and ``bin/shop import``: load a data set, or products from a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from shop.cli import EXIT_FAILED
from shop.cli.data_progress import build_progress
from shop.cli.database import store_settings
from shop.cli.output import emit, pluralize
from shop.datasets import loading
from shop.datasets.choice import SIZES
from shop.datasets.importing import reading
from shop.datasets.importing.changes import Invalidate
from shop.datasets.importing.importer import import_catalogue
from shop.datasets.importing.report import ImportReport
from shop.datasets.loading import LoadReport
from shop.payments.seeding import seed_charges
from shop.settings import Settings
from shop.wiring import build

SHOWN_REFUSALS = 20
"""The most refused rows in the text output."""


@click.command()
@click.option("--dataset", type=click.Choice(list(SIZES)), help="Default: the loaded one, or demo.")
@click.option(
    "--size", type=click.Choice(["s", "m", "l"]), help="Size of the demo data: 500, 5,000 or 1,000,000 products."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def seed(dataset: str | None, size: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Load the sample data, once. An interrupted load continues at the point where it stopped."""
    settings = store_settings()
    progress = build_progress()
    try:
        report = loading.seed(settings, *loading.choose_dataset(settings, dataset, size), progress)
    finally:
        progress.finish()
    seed_charges(settings)
    emit(report.to_json(), _format_load(report), as_json=as_json)


@click.group("import")
def import_() -> None:
    """Import products from a file."""


@import_.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--partial", is_flag=True, help="Import the valid rows even if there are invalid ones.")
@click.option("--delimiter", default=",", show_default=True, help="The character between the fields of a CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def products(file: Path, partial: bool, delimiter: str, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Add or update products from FILE (.csv or .jsonl); all or nothing unless --partial.

    Columns: slug, title, brand, category ("Department > Category"), category_slug, description, price (euros, as
    12.99), on_hand. A row with the slug of a product changes that product: an absent column keeps the stored value, an
    empty cell deletes it. Any other row is a new product and needs title, category and price.
    """
    if len(delimiter) != 1:
        raise click.BadParameter("one character", param_hint="--delimiter")
    settings = store_settings()
    rows = reading.rows(file, delimiter)
    progress = build_progress()
    try:
        with _invalidating(settings) as invalidate:
            report = import_catalogue(settings, rows, partial=partial, on_change=invalidate, progress=progress)
    finally:
        progress.finish()
    emit(report.to_json(), format_import(report), as_json=as_json)
    sys.exit(0 if report.committed else EXIT_FAILED)


@contextmanager
def _invalidating(settings: Settings) -> Iterator[Invalidate]:
    """Connect to the cache; without a cache, an invalidation does nothing."""
    if settings.cache_url is None:
        yield lambda tags: None
        return
    runtime = build(settings)
    try:
        yield lambda tags: runtime.services().cache.invalidate(tags)
    finally:
        runtime.close()


def format_import(report: ImportReport) -> str:
    """Return the report of an import as text for a person."""
    lines = [f"line {refusal.line}: {refusal.reason}" for refusal in report.refusals[:SHOWN_REFUSALS]]
    if report.refused > SHOWN_REFUSALS:
        lines.append(f"... and {report.refused - SHOWN_REFUSALS:,} more")
    if report.committed:
        if report.resumed_after:
            lines.append(f"Continued a run that had stopped after line {report.resumed_after:,}.")
        counts = f"{report.created:,} created, {report.updated:,} updated, {report.unchanged:,} unchanged"
        lines.append(f"{counts}, {report.refused:,} refused.")
        if report.withdrawn:
            lines.append(
                f"Withdrawn products, still not for sale: {report.withdrawn:,}. An administrator can sell them."
            )
    elif report.refused:
        lines.append(f"Nothing was changed: {pluralize(report.refused, 'row')} refused, {report.accepted:,} valid.")
        if report.accepted:
            lines.append("Correct the file, or import only the valid rows with --partial.")
    else:
        lines.append("Nothing was changed: the file has no rows.")
    return "\n".join(lines)


def _format_load(report: LoadReport) -> str:
    name = f"{report.dataset} {report.size}"
    if report.already_there:
        lines = [f"{name} is already loaded."]
    else:
        speed = report.rows / max(report.seconds, 0.001)
        lines = [f"Loaded {name}: {report.rows:,} rows in {report.seconds:.1f} s ({speed:,.0f} rows/s)."]
    if report.findings:
        lines += ["", "Odd rows of the source, and their treatment:"]
        lines += [f"{finding.rows:>9,}  {finding.subject}: {finding.treatment}" for finding in report.findings]
    return "\n".join(lines)
