"""``bin/shop migrate``, and the internal step of ``bin/shop up`` that prepares schema and data before the start."""

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
    emit({"applied": applied}, _format_applied(applied), as_json=as_json)


@click.command(hidden=True)
@click.option("--dataset")
@click.option("--size")
@click.option("--create-on", type=int, help="First create the database on the stack's own server at this port.")
def prepare(dataset: str | None, size: str | None, create_on: int | None) -> None:
    """Create the database, bring its schema up to date and load the data. Each step runs only if it is necessary.

    In the production profile no data set is loaded, and the database of a lab is refused: its accounts have published
    passwords.
    """
    settings = load_settings()
    if create_on is not None:
        postgres.ensure_database(settings.var_dir / "pg", create_on)
    applied = _migrate(settings)
    if applied:
        click.echo(_format_applied(applied))
    if settings.is_lab:
        _seed(settings, dataset, size)
        return
    if dataset is not None or size is not None:
        raise ConfigurationError(NO_DATA_SET)
    with open_engine(settings) as engine:
        require_own_data(engine)


def _seed(settings: Settings, dataset: str | None, size: str | None) -> None:
    """Load a data set.

    Args:
        settings: with the database's address.
        dataset: its name; without name and size, an own catalogue is kept, an unfinished load is finished, and an empty
            store gets the default data.
        size: of the demo data.
    """
    if dataset is None and size is None and loading.prepare_own_catalogue(settings):
        return
    progress = build_progress()
    try:
        report = loading.seed(settings, *loading.choose_dataset(settings, dataset, size), progress)
    finally:
        progress.finish()
    seed_charges(settings)
    if not report.already_there:
        click.echo(f"Loaded {report.dataset} {report.size}: {report.rows:,} rows in {report.seconds:.1f} s.")


def _migrate(settings: Settings) -> list[str]:
    with open_engine(settings) as engine:
        return schema.upgrade(engine)


def _format_applied(applied: list[str]) -> str:
    return f"Migrated the schema to {applied[-1]}." if applied else "The schema is up to date."
