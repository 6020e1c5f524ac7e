"""The ``shop`` command. It imports the module of a sub-command when that is called: ``--help`` answers at once."""

import importlib
import os
import re
import sys
from typing import Any, NoReturn

import click

from shop.errors import ConfigurationError, InvalidFields, ShopError

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("shop.cli.stack:up", "Start the store and everything it needs."),
    "down": ("shop.cli.stack:down", "Stop what `bin/shop up` started."),
    "status": ("shop.cli.stack:status", "Show each process: pid, port, health, memory."),
    "migrate": ("shop.cli.schema:migrate", "Bring the database's schema up to date."),
    "seed": ("shop.cli.data:seed", "Load the sample data, once."),
    "import": ("shop.cli.data:import_", "Import products from a file."),
    "switch": ("shop.cli.switch:switch", "Read and set the patterns' switches."),
    "admin": ("shop.cli.admin:admin", "Create administrators."),
    "sql": ("shop.cli.sql:sql", "Read the database in psql, with a read-only role."),
    "orders": ("shop.cli.orders:orders", "Rebuild and verify the order projection."),
    "customer": ("shop.cli.customer:customer", "Export or erase a person's data."),
    "books": ("shop.cli.books:books", "Reconcile money, stock and orders with the provider."),
    "backup": ("shop.cli.backup:backup", "Write the store's database to one file."),
    "restore": ("shop.cli.backup:restore", "Replace the database by a backup."),
    "reap": ("shop.cli.reap:reap", "Delete expired keys, sessions and carts, and complete open checkouts."),
    "queue": ("shop.cli.queue:queue", "Show the message queue and its dead letters; requeue one."),
    "cache": ("shop.cli.cache:cache", "Show, inspect and purge the caches."),
    "fault": ("shop.cli.fault:fault", "Inject a fault into a server, and clear it."),
    "logs": ("shop.cli.logs:logs", "Show one request's log lines from every process."),
    "reset": ("shop.cli.reset:reset", "Delete a lab's data and start again."),
    "lab": ("shop.cli.lab:lab", "Run the experiments that measure the patterns."),
    "exercise": ("shop.cli.exercise:exercise", "Do the exercises of the action plan, and check them."),
    "reference": ("shop.cli.reference:reference", ""),
    "prepare": ("shop.cli.schema:prepare", ""),
}
"""Name to the command and its description. A command without a description is internal and not listed."""

TYPED_AS = "bin/shop"
"""How documents and messages write the command; it works in the directory of the checkout."""
TYPED_AS_VARIABLE = "STORE_COMMAND"
"""``bin/shop`` puts into it how it was called: from another directory, by its path."""

EXIT_FAILED = 1
EXIT_USAGE = 2
SIGNAL_EXIT = 128
"""In a shell, 128 + n means: ended by signal n."""


class LazyCommands(click.Group):
    """Imports a sub-command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the listed commands, in order."""
        return [name for name, (_, description) in COMMANDS.items() if description]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one sub-command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - else the table above is wrong
        return command

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command; an error is one line on stderr.

        Exit code 2 means that the machine, the settings or the arguments are not fit; 1 that the action failed.
        """
        try:
            return super().main(*args, **{"prog_name": as_called(TYPED_AS), **options})
        except ConfigurationError as error:
            _end(str(error), EXIT_USAGE)
        except InvalidFields as error:
            _end(error.detail, EXIT_USAGE)
        except ShopError as error:
            _end(error.detail, EXIT_FAILED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group("shop", cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shop")
def main() -> None:
    """A store with a switch for every backend pattern: set it, load the store, see the numbers."""


def as_called(message: str) -> str:
    """Return a message with its commands written as this one was called, so that they work as typed."""
    return re.sub(rf"\b{TYPED_AS}\b", lambda _: os.environ.get(TYPED_AS_VARIABLE, TYPED_AS), message)


def _end(message: str, exit_code: int) -> NoReturn:
    click.echo(f"shop: {as_called(message)}", err=True)
    sys.exit(exit_code)
