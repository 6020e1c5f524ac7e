"""What a database must be for the store to work on it, as whoever starts the store is told in one line."""

from typing import Any

import psycopg

from shop.errors import ConfigurationError


def takes_changes(connection: psycopg.Connection[Any]) -> bool:
    """Ask the server whether it takes changes: a standby does not, and any server can be told not to."""
    return connection.execute("SHOW transaction_read_only").fetchone() == ("off",)


def require_writable(connection: psycopg.Connection[Any] | None, address: str) -> None:
    """Make sure that the server takes changes.

    Args:
        connection: to the database.
        address: of it, fit to be shown.

    Raises:
        ConfigurationError: it is a standby, or was told to take none.
    """
    if connection is not None and not takes_changes(connection):
        raise read_only_refusal(address)


def read_only_refusal(address: str) -> ConfigurationError:
    """Return the refusal of a server that takes no changes; arguments as :func:`require_writable`."""
    return ConfigurationError(
        f"The database {address} takes no changes: it is a standby, or default_transaction_read_only is on. Name the"
        " primary in DATABASE_URL, or let this one take changes."
    )
