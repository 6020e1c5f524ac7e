"""The ``shop`` command. A sub-command's module is imported only when it is called: ``shop --help`` answers at once."""

import importlib
import sys
from typing import Any, NoReturn

import click

from shop.errors import ConfigurationError, InvalidFields, ShopError

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("shop.cli.stack:up", "Start the store and everything it needs."),
    "down": ("shop.cli.stack:down", "Stop what `shop up` started."),
    "status": ("shop.cli.stack:status", "Show each process: pid, port, health, memory."),
    "migrate": ("shop.cli.schema:migrate", "Bring the database's schema up to date."),
    "seed": ("shop.cli.data:seed", "Fill the store with data, once."),
    "import": ("shop.cli.data:import_", "Read another shop's catalogue."),
    "switch": ("shop.cli.switch:switch", "Read and flip the patterns' switches."),
    "admin": ("shop.cli.admin:admin", "Make the accounts that look after the store."),
    "sql": ("shop.cli.sql:sql", "Read the database in psql, as a role that can change nothing."),
    "orders": ("shop.cli.orders:orders", "Rebuild and check what follows from the events of orders."),
    "customer": ("shop.cli.customer:customer", "Tell a person all that is held about her, or forget her."),
    "books": ("shop.cli.books:books", "Check money, stock and orders from both sides."),
    "backup": ("shop.cli.backup:backup", "Copy the store's database into one file."),
    "restore": ("shop.cli.backup:restore", "Put a backup in the place of the database."),
    "reap": ("shop.cli.reap:reap", "Forget expired keys, sessions and carts, and settle open checkouts."),
    "queue": ("shop.cli.queue:queue", "Show what waits between the store and its worker; requeue a dead letter."),
    "cache": ("shop.cli.cache:cache", "Show what the caches hold and answer; end what is old."),
    "fault": ("shop.cli.fault:fault", "Break a dependency on purpose, and mend it."),
    "logs": ("shop.cli.logs:logs", "Show one request's log lines from every process."),
    "reset": ("shop.cli.reset:reset", "Throw a lab's data away and start anew."),
    "lab": ("shop.cli.lab:lab", "Run the experiments that measure the patterns."),
    "reference": ("shop.cli.reference:reference", ""),
    "prepare": ("shop.cli.schema:prepare", ""),
}
"""Name to where it lives and what it does; one without a description is not for people and not listed."""

EXIT_FAILED = 1
EXIT_USAGE = 2


class LazyCommands(click.Group):
    """Finds a sub-command by name and imports it only then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order they are listed in."""
        return [name for name, (_, does) in COMMANDS.items() if does]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one sub-command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert isinstance(found, click.Command)  # noqa: S101 - a mistake in the table above
        return found

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command; what goes wrong is one line on stderr.

        Exit code 2 says that the machine, the settings or the words are not fit; 1 that what was asked for failed.
        """
        try:
            return super().main(*args, **options)
        except ConfigurationError as error:
            _end(str(error), EXIT_USAGE)
        except InvalidFields as error:
            _end(error.detail, EXIT_USAGE)
        except ShopError as error:
            _end(error.detail, EXIT_FAILED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group("shop", cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shop")
def main() -> None:
    """A store whose every backend pattern has a switch: flip it, load it, see the numbers."""


def _end(message: str, exit_code: int) -> NoReturn:
    click.echo(f"shop: {message}", err=True)
    sys.exit(exit_code)
