"""``bin/shop customer``: exports or erases the personal data of one customer."""

import sys

import click

from shop.cli.database import store_settings
from shop.cli.output import emit, pluralize, require_consent
from shop.customers.data_subject_rights import ErasureResult
from shop.errors import ConfigurationError
from shop.wiring import ProcessRuntime, build


@click.group()
def customer() -> None:
    """Export or erase a person's data."""


@customer.command()
@click.argument("email")
def export(email: str) -> None:
    """Print all data of EMAIL as one JSON document: account, orders (also those of a guest), reviews, mail, traces.

    Passwords and tokens are left out. Exit code 1 if the store has no data of EMAIL.
    """
    runtime = _runtime()
    try:
        document = runtime.services().personal_data.export(email)
    finally:
        runtime.close()
    emit(document, "", as_json=True)


@customer.command()
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask. Erased data cannot be restored.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def forget(email: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Erase all data of EMAIL. Orders stay in the books, without name and address.

    Exit code 1 if orders still need their address, or if the store has no data of EMAIL; then nothing is changed.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigurationError(f"Nothing was changed. Forgetting {email} cannot be undone: add --yes to do it.")
        require_consent(f"Forget {email}? This cannot be undone.")
    runtime = _runtime()
    try:
        runtime.switch_poller.refresh()
        result = runtime.services().personal_data.erase(email)
    finally:
        runtime.close()
    emit(result.to_json(), _format_result(email, result), as_json=as_json)


def _format_result(email: str, result: ErasureResult) -> str:
    blanked = [pluralize(result.orders, "order"), pluralize(result.reviews, "review")]
    blanked = ["the account", *blanked] if result.account else blanked
    deleted = [pluralize(result.carts, "cart"), pluralize(result.mails, "mail"), pluralize(result.messages, "message")]
    deleted.append(pluralize(result.answers, "stored response"))
    text = f"{email} is forgotten. Blanked: {', '.join(blanked)}. Deleted: {', '.join(deleted)}."
    if result.others:
        text += f" Orders of {pluralize(result.others, 'other account')} have this address; they stay unchanged."
    return f"{text}\nAn earlier backup still has the data: run this command again after you restore one."


def _runtime() -> ProcessRuntime:
    return build(store_settings(), process="customer")
