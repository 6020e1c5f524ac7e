"""Requirements of a database: a store that starts on an unusable one ends with one line that names the reason."""

from typing import Any

import psycopg

from shop.errors import ConfigurationError


def takes_changes(connection: psycopg.Connection[Any]) -> bool:
    """Ask the server whether it accepts changes: a standby does not, and any server can be configured not to."""
    return connection.execute("SHOW transaction_read_only").fetchone() == ("off",)


def require_writable(connection: psycopg.Connection[Any] | None, address: str) -> None:
    """Require a server that accepts changes.

    Args:
        connection: to the database.
        address: of the database, without its password.

    Raises:
        ConfigurationError: the server is a standby, or is configured as read-only.
    """
    if connection is not None and not takes_changes(connection):
        raise read_only_refusal(address)


def read_only_refusal(address: str) -> ConfigurationError:
    """Return the error for a read-only server; arguments as :func:`require_writable`."""
    return ConfigurationError(
        f"The database {address} takes no changes: it is a standby, or default_transaction_read_only is on. Set"
        " DATABASE_URL to the primary, or make this server writable."
    )
