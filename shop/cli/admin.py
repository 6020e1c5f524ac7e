"""``shop admin``: the accounts that look after the store."""

import sys
from collections.abc import Callable

import click

from shop.accounts.administrators import AdministratorAccounts
from shop.cli.database import store_settings
from shop.cli.output import emit
from shop.errors import InvalidFields
from shop.wiring import build

DEFAULT_NAME = "Administrator"


@click.group()
def admin() -> None:
    """Make the accounts that look after the store."""


@admin.command()
@click.argument("email")
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="As the pages greet.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def create(email: str, name: str, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Open an account with the role of an administrator. Its password is asked for, or read from standard input."""
    made = _changed(lambda administrators: administrators.create(email, _password(), name))
    emit({"email": made, "role": "admin"}, f"{made} may now sign in as an administrator.", as_json=as_json)


@admin.command()
@click.argument("email")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def grant(email: str, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Give an account that is there the role of an administrator."""
    made = _changed(lambda administrators: administrators.grant(email))
    emit({"email": made, "role": "admin"}, f"{made} is now an administrator.", as_json=as_json)


def _changed(change: Callable[[AdministratorAccounts], str]) -> str:
    runtime = build(store_settings(), process="admin")
    try:
        return change(AdministratorAccounts(runtime.database, runtime.passwords))
    except InvalidFields as error:
        raise InvalidFields(" ".join([*error.errors.values()] or [error.detail])) from None
    finally:
        runtime.close()


def _password() -> str:
    """Read a password where nobody sees it: a command line is everybody's to read, and kept in a history."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
