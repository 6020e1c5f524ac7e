"""``bin/shop admin``: creates administrators."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from shop.accounts.administrators import AdministratorAccounts
from shop.cli.database import store_settings
from shop.cli.output import emit
from shop.errors import InvalidFields
from shop.wiring import build

DEFAULT_NAME = "Administrator"


@click.group()
def admin() -> None:
    """Create administrators."""


@admin.command()
@click.argument("email")
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="The name that the pages show.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def create(email: str, name: str, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Create an account for an administrator. The command asks for the password, or reads it from standard input."""
    with _administrators() as administrators:
        # Never from the command line: every user of the machine can read that, and a shell stores it in its history.
        if sys.stdin.isatty():
            password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
        else:
            password = sys.stdin.readline().rstrip("\r\n")
        created = administrators.create(email, password, name)
    emit({"email": created, "role": "admin"}, f"{created} may now sign in as an administrator.", as_json=as_json)


@admin.command()
@click.argument("email")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def grant(email: str, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Make an existing account an administrator."""
    with _administrators() as administrators:
        granted = administrators.grant(email)
    emit({"email": granted, "role": "admin"}, f"{granted} is now an administrator.", as_json=as_json)


@contextmanager
def _administrators() -> Iterator[AdministratorAccounts]:
    runtime = build(store_settings(), process="admin")
    try:
        yield AdministratorAccounts(runtime.database, runtime.passwords)
    except InvalidFields as error:
        raise InvalidFields(" ".join([*error.errors.values()] or [error.detail])) from None
    finally:
        runtime.close()
