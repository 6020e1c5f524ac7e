"""``shop customer``: a person's rights to what the store holds about her."""

import sys

import click

from shop.cli.database import store_settings
from shop.cli.output import emit, pluralize
from shop.customers.rights import ErasureResult
from shop.errors import ConfigurationError
from shop.wiring import ProcessRuntime, build


@click.group()
def customer() -> None:
    """Tell a person all that is held about her, or forget her."""


@customer.command()
@click.argument("email")
def export(email: str) -> None:
    """Print all that is held about EMAIL as one JSON document: account, orders, also a guest's, reviews, mail, traces.

    Passwords and tokens are left out. Exit code 1 where nothing is held.
    """
    runtime = _runtime()
    try:
        document = runtime.services().personal_data.export(email)
    finally:
        runtime.close()
    emit(document, "", as_json=True)


@customer.command()
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask. What is forgotten cannot be brought back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def forget(email: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Blank or delete all that names EMAIL. Orders stay for the books, without name and address.

    Exit code 1 where orders still need their address, or nothing is held; then nothing is changed.
    """
    if not yes:
        _ask(email)
    runtime = _runtime()
    try:
        runtime.switch_poller.refresh()
        forgotten = runtime.services().personal_data.erase(email)
    finally:
        runtime.close()
    emit(forgotten.to_json(), _told(email, forgotten), as_json=as_json)


def _ask(email: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigurationError(f"Nothing was changed. Forgetting {email} cannot be undone: add --yes to do it.")
    click.confirm(f"Forget {email}? This cannot be undone.", abort=True, err=True)


def _told(email: str, done: ErasureResult) -> str:
    blanked = [pluralize(done.orders, "order"), pluralize(done.reviews, "review")]
    blanked = ["the account", *blanked] if done.account else blanked
    deleted = [pluralize(done.carts, "cart"), pluralize(done.mails, "mail"), pluralize(done.messages, "message")]
    deleted.append(pluralize(done.answers, "kept answer"))
    told = f"{email} is forgotten. Blanked: {', '.join(blanked)}. Deleted: {', '.join(deleted)}."
    if done.others:
        told += f" Orders of {pluralize(done.others, 'other account')} name this address; they belong there, and stay."
    return f"{told}\nA backup made before still holds it: forget again after restoring one."


def _runtime() -> ProcessRuntime:
    return build(store_settings(), process="customer")
