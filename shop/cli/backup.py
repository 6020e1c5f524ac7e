"""``bin/shop backup`` and ``bin/shop restore``: write the database to one file, and replace it by such a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import click

from shop.backup.archive import BackupManifest
from shop.backup.dump import take_backup
from shop.backup.restore import check_backup, restore_backup
from shop.cli.database import open_engine
from shop.cli.output import emit
from shop.database.schema import require_current
from shop.errors import ConfigurationError
from shop.settings import Settings, load_settings
from shop.stack.database_roles import OWNER
from shop.stack.endpoints import resolve
from shop.stack.standalone_database import standalone_database
from shop.stack.state import StateFile

STORE_RUNS = "The store runs: stop it with `bin/shop down` first. A restore under a running store would mix two states."


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def backup(file: Path, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Write the whole database to FILE, in its state at one moment; the store goes on meanwhile.

    FILE must not exist. Only you can read it: it contains people's addresses and orders. It does not contain the keys
    in var.
    """
    with _database() as settings, open_engine(settings) as engine:
        with engine.connect() as connection:
            require_current(connection)
        manifest = take_backup(engine, file)
    text = f"{file}: {manifest.rows:,} rows as of {_taken_at(manifest)}, schema {manifest.revision}."
    emit({"file": str(file), **_summary(manifest)}, text, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Replace everything in the database.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def restore(file: Path, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Replace the whole database by the backup FILE, while no process uses the database.

    All or nothing. An older backup is migrated to this code's schema, a newer one is refused. Then `bin/shop books`
    lists the charges that the provider knows and the store does not.
    """
    manifest = check_backup(file)
    if StateFile(load_settings().run_dir).load().is_running:
        raise ConfigurationError(STORE_RUNS)
    if not yes:
        raise ConfigurationError(
            f"This replaces the whole database by {manifest.rows:,} rows as of {_taken_at(manifest)}."
            " All later changes are lost. Add --yes to do it."
        )
    with _database() as settings, open_engine(settings) as engine:
        restore_backup(engine, file)
    text = (
        f"Restored {manifest.rows:,} rows as of {_taken_at(manifest)}."
        " Start the store, then run `bin/shop books`: it lists the charges that the store does not know any more."
    )
    emit({"file": str(file), **_summary(manifest)}, text, as_json=as_json)


@contextmanager
def _database() -> Iterator[Settings]:
    """Connect to the database that is set or runs; else start the stack's own database for this command."""
    settings = load_settings()
    if settings.database_url is not None or StateFile(settings.run_dir).load().is_running:
        yield resolve(settings, OWNER)  # the role that may read all tables
        return
    with standalone_database(settings) as complete:
        yield complete


def _summary(manifest: BackupManifest) -> dict[str, object]:
    tables = {table.name: table.rows for table in manifest.tables}
    return {"revision": manifest.revision, "taken_at": manifest.taken_at.isoformat(), "tables": tables}


def _taken_at(manifest: BackupManifest) -> str:
    return f"{manifest.taken_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
