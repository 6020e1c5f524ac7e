"""``shop seed`` and ``shop import``: something to sell."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from shop.cli.data_progress import build_progress
from shop.cli.database import store_settings
from shop.cli.output import emit, pluralize
from shop.datasets import loading
from shop.datasets.importing import reading, taking
from shop.datasets.importing.changes import Invalidate
from shop.datasets.importing.report import ImportReport
from shop.datasets.loading import LoadReport
from shop.payments.seeding import seed_charges
from shop.settings import Settings
from shop.wiring import build

SHOWN_REFUSALS = 20
FAILED = 1


@click.command()
@click.option("--dataset", type=click.Choice(list(loading.DATASETS)), help="Default: what is there, or demo.")
@click.option("--size", type=click.Choice(["s", "m", "l"]), help="Of the demo data: 500, 5,000 or 1,000,000 products.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def seed(dataset: str | None, size: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Fill the store with data, once. A load that was interrupted goes on where it stopped."""
    settings = store_settings()
    progress = build_progress()
    try:
        report = loading.seed(settings, *loading.chosen(settings, dataset, size), progress)
    finally:
        progress.finish()
    seed_charges(settings)
    emit(report.to_json(), _told(report), as_json=as_json)


@click.group("import")
def import_() -> None:
    """Read another shop's catalogue."""


@import_.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--partial", is_flag=True, help="Take the good rows even when there are bad ones.")
@click.option("--delimiter", default=",", show_default=True, help="What separates the fields of a CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def products(file: Path, partial: bool, delimiter: str, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Add or update products from FILE (.csv or .jsonl); all or nothing unless --partial.

    Columns: slug, title, brand, category ("Department > Category"), category_slug, description, price (euros, as
    12.99), on_hand. A row with the slug of a product changes it: absent columns keep what is stored, empty cells empty
    it. Any other row is a new product and needs title, category and price.
    """
    if len(delimiter) != 1:
        raise click.BadParameter("one character", param_hint="--delimiter")
    settings = store_settings()
    found = reading.rows(file, delimiter)
    progress = build_progress()
    try:
        with _invalidating(settings) as invalidate:
            report = taking.take(settings, found, partial=partial, on_change=invalidate, progress=progress)
    finally:
        progress.finish()
    emit(report.to_json(), _told_import(report), as_json=as_json)
    sys.exit(0 if report.committed else FAILED)


@contextmanager
def _invalidating(settings: Settings) -> Iterator[Invalidate]:
    """Reach the caches; without a cache there is nothing to end."""
    if settings.cache_url is None:
        yield lambda tags: None
        return
    runtime = build(settings)
    try:
        yield lambda tags: runtime.services().cache.invalidate(tags)
    finally:
        runtime.close()


def _told_import(report: ImportReport) -> str:
    lines = [f"line {refusal.line}: {refusal.reason}" for refusal in report.refusals[:SHOWN_REFUSALS]]
    if report.refused > SHOWN_REFUSALS:
        lines.append(f"... and {report.refused - SHOWN_REFUSALS:,} more")
    if report.committed:
        if report.resumed_after:
            lines.append(f"A run that had stopped after line {report.resumed_after:,} is continued.")
        done = f"{report.created:,} created, {report.updated:,} updated, {report.unchanged:,} unchanged"
        lines.append(f"{done}, {report.refused:,} refused.")
        if report.withdrawn:
            lines.append(
                f"Withdrawn, and so not sold by this: {report.withdrawn:,}. The administration offers them again."
            )
    elif report.refused:
        lines.append(f"Nothing was changed: {pluralize(report.refused, 'row')} refused, {report.accepted:,} good.")
        if report.accepted:
            lines.append("Mend the file, or take the good rows alone with --partial.")
    else:
        lines.append("Nothing was changed: the file has no rows.")
    return "\n".join(lines)


def _told(report: LoadReport) -> str:
    name = f"{report.dataset} {report.size}"
    if report.already_there:
        lines = [f"{name} is there already."]
    else:
        speed = report.rows / max(report.seconds, 0.001)
        lines = [f"Loaded {name}: {report.rows:,} rows in {report.seconds:.1f} s ({speed:,.0f} rows/s)."]
    if report.findings:
        lines += ["", "Odd rows of the source, and what became of them:"]
        lines += [f"{finding.rows:>9,}  {finding.subject}: {finding.treatment}" for finding in report.findings]
    return "\n".join(lines)
