"""``shop seed`` and ``shop import``: something to sell."""

import click

from shop.cli.data_progress import shown
from shop.cli.output import emit
from shop.datasets import loading
from shop.datasets.loading import Report
from shop.settings import load_settings
from shop.stack.addresses import resolve


@click.command()
@click.option("--dataset", type=click.Choice(list(loading.DATASETS)), help="Default: what is there, or demo.")
@click.option("--size", type=click.Choice(["s", "m", "l"]), help="Of the demo data: 500, 5,000 or 1,000,000 products.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def seed(dataset: str | None, size: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Fill the store with data, once. A load that was interrupted goes on where it stopped."""
    settings = resolve(load_settings())
    progress = shown()
    try:
        report = loading.seed(settings, *loading.chosen(settings, dataset, size), progress)
    finally:
        progress.finish()
    emit(report.to_json(), _told(report), as_json=as_json)


def _told(report: Report) -> str:
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
