"""``shop sql``: the store's database in ``psql``, to read."""

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
"""For a database of the user's own, whose role may do more."""
REFUSED = "unsupported startup parameter"
"""What pgbouncer says of ``options``, unless it was told to ignore them."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def sql(words: tuple[str, ...]) -> None:
    """Open the store's database in psql, to read it; WORDS are psql's own, such as -c "SELECT 1".

    In the stack's own database it is the role shop_reader, which can change nothing.
    """
    psql = postgres.psql_path() or shutil.which("psql")
    if psql is None:
        raise ConfigurationError("There is no psql for this platform: install PostgreSQL's client.")
    settings = resolve(load_settings(), READER)
    given = connection_parameters(str(settings.database_url))
    # In the address, whose options go before PGOPTIONS.
    given["options"] = f"{given.get('options') or os.environ.get('PGOPTIONS', '')} {READ_ONLY}".strip()
    _require_reading(given)
    password = given.pop("password", None)  # into the environment: command lines are everybody's to read
    environment = {**os.environ, "PGPASSWORD": str(password)} if password else dict(os.environ)
    os.execve(psql, ["psql", "-d", psycopg.conninfo.make_conninfo("", **given), *words], environment)  # noqa: S606


def _require_reading(given: dict[str, Any]) -> None:
    """Make sure that what PostgreSQL is told while connecting is heard; a connection that fails is psql's to explain.

    Raises:
        ConfigurationError: a pooler ignores it, and psql could change something, or refuses it.
    """
    try:
        with psycopg.connect(**given) as connection:
            heard = connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
    except psycopg.OperationalError as error:
        heard = REFUSED not in str(error)
    if not heard:
        raise ConfigurationError(
            "The database is behind a pooler that does not hand `options` on, and psql could change it: to read it,"
            " name PostgreSQL itself in DATABASE_URL."
        )
