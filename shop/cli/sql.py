"""``bin/shop sql``: opens the store's database in ``psql``, read-only."""

import os
import shutil
from typing import Any

import click
import psycopg

from shop.database.engine import connection_parameters
from shop.errors import ConfigurationError
from shop.settings import load_settings
from shop.stack import postgres
from shop.stack.database_roles import READER
from shop.stack.endpoints import resolve

READ_ONLY = "-c default_transaction_read_only=on"
"""For a database that the user has set: its role may have more rights."""
REFUSED = "unsupported startup parameter"
"""pgbouncer's error about ``options``, unless it is configured to ignore them."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def sql(words: tuple[str, ...]) -> None:
    """Open the store's database in psql, read-only; WORDS are psql's arguments, such as -c "SELECT 1".

    In the stack's own database, psql uses the role shop_reader, which cannot change anything.
    """
    psql = postgres.psql_path() or shutil.which("psql")
    if psql is None:
        raise ConfigurationError("There is no psql for this platform: install PostgreSQL's client.")
    settings = resolve(load_settings(), READER)
    parameters = connection_parameters(str(settings.database_url))
    # In the address: its options override PGOPTIONS.
    parameters["options"] = f"{parameters.get('options') or os.environ.get('PGOPTIONS', '')} {READ_ONLY}".strip()
    _require_read_only(parameters)
    password = parameters.pop("password", None)  # into the environment: every user can read command lines
    environment = {**os.environ, "PGPASSWORD": str(password)} if password else dict(os.environ)
    address = psycopg.conninfo.make_conninfo("", **parameters)
    os.execve(psql, ["psql", "-d", address, *words], environment)  # noqa: S606 - no shell


def _require_read_only(parameters: dict[str, Any]) -> None:
    """Check that the connection's options reach PostgreSQL. If the connection fails, psql will print the reason.

    Args:
        parameters: of the connection.

    Raises:
        ConfigurationError: a pooler refuses the options, or ignores them, and psql could change data.
    """
    try:
        with psycopg.connect(**parameters) as connection:
            is_read_only = connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
    except psycopg.OperationalError as error:
        is_read_only = REFUSED not in str(error)
    if not is_read_only:
        raise ConfigurationError(
            "The database is behind a pooler that does not pass `options` on, so psql could change data: write the"
            " address of PostgreSQL itself into DATABASE_URL."
        )
