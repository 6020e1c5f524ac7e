"""``shop migrate``, and the hidden step of ``shop up`` between the database and the store."""

import click

from shop.cli.data_progress import build_progress
from shop.cli.database import open_engine
from shop.cli.output import emit
from shop.database import schema
from shop.datasets import loading
from shop.datasets.production import NO_DATA_SET, require_own_data
from shop.errors import ConfigurationError
from shop.payments.seeding import seed_charges
from shop.settings import Settings, load_settings
from shop.stack import postgres
from shop.stack.database_roles import OWNER
from shop.stack.endpoints import resolve


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def migrate(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Bring the database's schema up to date. Safe to repeat, and to run twice at once."""
    applied = _migrate(resolve(load_settings(), OWNER))
    emit({"applied": applied}, _told(applied), as_json=as_json)


@click.command(hidden=True)
@click.option("--dataset")
@click.option("--size")
@click.option("--create-on", type=int, help="Make the store's database on our own server at this port first.")
def prepare(dataset: str | None, size: str | None, create_on: int | None) -> None:
    """Make the database, bring its schema up to date and fill it, each if that is still to be done."""
    settings = load_settings()
    if create_on is not None:
        postgres.ensure_database(settings.var_dir / "pg", create_on)
    applied = _migrate(settings)
    if applied:
        click.echo(_told(applied))
    if settings.is_lab:
        _seed(settings, dataset, size)
    else:
        _require_own_data(settings, dataset or size)


def _require_own_data(settings: Settings, wanted: str | None) -> None:
    """Leave production to what its owner brings: nothing is seeded, and no lab's database is opened to the public."""
    if wanted is not None:
        raise ConfigurationError(NO_DATA_SET)
    with open_engine(settings) as engine:
        require_own_data(engine)


def _seed(settings: Settings, dataset: str | None, size: str | None) -> None:
    """Load what was asked for; without a wish, finish what was begun, keep an own catalogue, or take the usual data."""
    if dataset is None and size is None and loading.open_own(settings):
        return
    progress = build_progress()
    try:
        report = loading.seed(settings, *loading.chosen(settings, dataset, size), progress)
    finally:
        progress.finish()
    seed_charges(settings)
    if not report.already_there:
        click.echo(f"Loaded {report.dataset} {report.size}: {report.rows:,} rows in {report.seconds:.1f} s.")


def _migrate(settings: Settings) -> list[str]:
    with open_engine(settings) as engine:
        return schema.upgrade(engine)


def _told(applied: list[str]) -> str:
    return f"Schema brought to {applied[-1]}." if applied else "The schema is up to date."
