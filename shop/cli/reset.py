"""``bin/shop reset``: deletes the data of a lab, for a fresh start."""

import subprocess
import sys

import click

from shop.cli.output import require_consent
from shop.cli.stack import SHOP
from shop.errors import ConfigurationError
from shop.lab.broken_books import FILE_NAME as BROKEN_BOOKS
from shop.lab.restore_file import FILE_NAME as SAVED_STATE
from shop.settings import Settings, load_settings
from shop.stack.resetting import (
    KEPT_DATA,
    ResetPart,
    delete_parts,
    external_server_variables,
    find_parts,
    require_resettable,
)
from shop.stack.state import StateFile

NOTES = (f"lab/{BROKEN_BOOKS}", f"lab/{SAVED_STATE}")
"""Files of experiments that refer to the deleted data."""
MB = 1_000_000


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Stop the stack and delete the store's data; the next `bin/shop up` makes all of it again.

    Deleted: the database with catalogue, accounts, orders and switches, the payments provider's books, messages and
    caches; faults end. Kept: exercises and their progress, results of experiments, logs and secrets. Exit code 2
    outside the lab profile and with DATABASE_URL.
    """
    settings = load_settings()
    state = StateFile(settings.run_dir)
    require_resettable(settings, state.load())
    parts = find_parts(settings.var_dir)
    if not parts:
        click.echo(f"There is no data in {settings.var_dir}: nothing to do.")
        return
    click.echo(_format_parts(settings, parts, is_running=state.load().is_running))
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigurationError("Nothing was deleted. Add --yes to delete it.")
        require_consent("Continue?")
    # Its own command: that signals the processes from the account that may.
    down = subprocess.run([*SHOP, "down"], capture_output=True, text=True, check=False)
    if down.returncode:
        raise ConfigurationError(f"The stack could not be stopped: {down.stderr.strip()}. Nothing was deleted.")
    try:
        with state.hold_lock():  # no stack can start meanwhile
            delete_parts(settings.var_dir, NOTES)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot delete {error.filename or settings.var_dir} ({error.strerror}): run it as the user who started the"
            " stack."
        ) from None
    click.echo("Done. Start the store again with `bin/shop up`.")


def _format_parts(settings: Settings, parts: tuple[ResetPart, ...], *, is_running: bool) -> str:
    lines = ["The running stack will be stopped."] if is_running else []
    lines += ["This will be deleted:"]
    lines += [f"  {settings.var_dir / part.name}  {part.bytes / MB:,.1f} MB  {part.holds}" for part in parts]
    lines += [f"This will be kept: {KEPT_DATA}."]
    if external := external_server_variables(settings):
        lines += [f"The data in the servers of {', '.join(external)} stays too: they do not belong to this stack."]
    return "\n".join(lines)
