"""``shop reset``: a fresh start for a lab."""

import subprocess
import sys
from pathlib import Path

import click

from shop.cli.stack import SHOP
from shop.errors import ConfigurationError
from shop.lab.broken_books import FILE_NAME as BROKEN_BOOKS
from shop.lab.saved_state import FILE_NAME as RESTORE
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

NOTES = (f"lab/{BROKEN_BOOKS}", f"lab/{RESTORE}")
MB = 1_000_000


@click.command()
@click.option("--yes", is_flag=True, help="Do it without asking.")
def reset(yes: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Throw the store's data away and start anew: stops the stack; the next `shop up` makes everything afresh.

    Goes: the database with catalogue, accounts, orders and switches, the payments provider's books, messages and
    caches; faults end. Stays: exercises and their progress, results of experiments, logs and secrets. Exit code 2
    outside the lab profile and with DATABASE_URL.
    """
    settings = load_settings()
    state = StateFile(settings.run_dir)
    require_resettable(settings, state.load())
    parts = find_parts(settings.var_dir)
    if not parts:
        click.echo(f"There is no data in {settings.var_dir}: nothing to do.")
        return
    click.echo(_told(settings, parts, runs=state.load().is_running))
    _require_consent(yes=yes)
    _stop()
    _delete(settings.var_dir, state)
    click.echo("Done. Start the store anew with `shop up`.")


def _told(settings: Settings, parts: tuple[ResetPart, ...], *, runs: bool) -> str:
    lines = ["The running stack will be stopped."] if runs else []
    lines += ["This goes for good:"]
    lines += [f"  {settings.var_dir / part.name}  {part.bytes / MB:,.1f} MB  {part.holds}" for part in parts]
    lines += [f"This stays: {KEPT_DATA}."]
    if others := external_server_variables(settings):
        lines += [f"What the servers of {', '.join(others)} hold stays too: they are not this stack's."]
    return "\n".join(lines)


def _require_consent(*, yes: bool) -> None:
    """Go on if the user agrees.

    Raises:
        ConfigurationError: nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError("Nothing was deleted. Say --yes if you mean it.")
    click.confirm("Go on?", abort=True)


def _stop() -> None:
    """Stop the stack by its own command, which signals processes as the account that may.

    Raises:
        ConfigurationError: it could not be stopped.
    """
    done = subprocess.run([*SHOP, "down"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(f"The stack could not be stopped: {done.stderr.strip()}. Nothing was deleted.")


def _delete(var: Path, state: StateFile) -> None:
    """Delete what goes while nobody can start the stack.

    Raises:
        ConfigurationError: this user may not, or somebody has just started it.
    """
    try:
        with state.hold_lock():
            delete_parts(var, NOTES)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot delete {error.filename or var} ({error.strerror}): run it as the user who started the stack."
        ) from None
