"""``shop backup`` and ``shop restore``: the database as one file, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import click

from shop.backup.archive import BackupManifest
from shop.backup.restoring import check_backup, restore_backup
from shop.backup.taking import take_backup
from shop.cli.database import open_engine
from shop.cli.output import emit
from shop.database.schema import require_current
from shop.errors import ConfigurationError
from shop.settings import Settings, load_settings
from shop.stack.database_roles import OWNER
from shop.stack.endpoints import resolve
from shop.stack.standalone_database import standalone_database
from shop.stack.state import StateFile

RUNS = "The store runs: stop it with `shop down` first. A restore under a running store would mix two states."


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def backup(file: Path, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Write everything in the database to FILE, as it stands at one moment; the store goes on meanwhile.

    FILE must not exist, and is readable by you alone: it holds people's addresses and orders. The keys in var are not
    in it.
    """
    with _database() as settings, open_engine(settings) as engine:
        with engine.connect() as connection:
            require_current(connection)
        manifest = take_backup(engine, file)
    told = f"{file}: {manifest.rows:,} rows as of {_moment(manifest)}, schema {manifest.revision}."
    emit({"file": str(file), **_summary(manifest)}, told, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Replace everything in the database.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def restore(file: Path, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Put the backup FILE in the place of everything in the database, while nothing uses it.

    All or nothing. An older backup is brought to this code's schema, a newer one is refused. Afterwards `shop books`
    names the charges that the provider knows and the store no longer does.
    """
    manifest = check_backup(file)
    if StateFile(load_settings().run_dir).load().is_running:
        raise ConfigurationError(RUNS)
    if not yes:
        raise ConfigurationError(
            f"This replaces everything in the database by {manifest.rows:,} rows as of {_moment(manifest)}."
            " What happened since then is lost here. Say --yes if you mean it."
        )
    with _database() as settings, open_engine(settings) as engine:
        restore_backup(engine, file)
    told = (
        f"{manifest.rows:,} rows as of {_moment(manifest)} are back."
        " Start the store, then let `shop books` name the charges it no longer knows."
    )
    emit({"file": str(file), **_summary(manifest)}, told, as_json=as_json)


@contextmanager
def _database() -> Iterator[Settings]:
    """Reach the database: the one that is set or runs, else the stack's own, started for this alone."""
    given = load_settings()
    if given.database_url is not None or StateFile(given.run_dir).load().is_running:
        yield resolve(given, OWNER)  # as whoever may read all of it
        return
    with standalone_database(given) as settings:
        yield settings


def _summary(manifest: BackupManifest) -> dict[str, object]:
    tables = {table.name: table.rows for table in manifest.tables}
    return {"revision": manifest.revision, "taken_at": manifest.taken_at.isoformat(), "tables": tables}


def _moment(manifest: BackupManifest) -> str:
    return f"{manifest.taken_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
