"""Connects a command to the store's database, and checks that it answers and has this code's schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import InternalError, OperationalError, ProgrammingError

from shop.database.engine import build_engine, safe_url
from shop.database.errors import INSUFFICIENT_PRIVILEGE, is_read_only, sqlstate
from shop.database.requirements import read_only_refusal
from shop.database.schema import require_current
from shop.errors import ConfigurationError
from shop.settings import Settings, load_settings
from shop.stack.endpoints import resolve


def store_settings(role: str | None = None) -> Settings:
    """Return the settings with all addresses, after a check of the database.

    Args:
        role: the role in the stack's own database, if not that of its servers.

    Raises:
        ConfigurationError: there is no database, it does not answer, or its schema is older or newer than this code.
    """
    settings = resolve(load_settings(), role)
    with open_engine(settings) as engine, engine.connect() as connection:
        require_current(connection)
    return settings


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """Open an engine on the store's database, without a check of its schema.

    Raises:
        ConfigurationError: there is no database, it does not answer or is read-only, or its user lacks a right.
    """
    engine = build_engine(settings)
    try:
        yield engine
    except OperationalError as error:
        if sqlstate(error):
            raise
        reason = " ".join(str(error.orig).split())
        raise ConfigurationError(
            f"The database {safe_url(engine.url)} does not answer ({reason}): start it, or set DATABASE_URL to another."
        ) from None
    except InternalError as error:
        if not is_read_only(error.orig):
            raise
        raise read_only_refusal(safe_url(engine.url)) from None
    except ProgrammingError as error:
        if sqlstate(error) != INSUFFICIENT_PRIVILEGE:
            raise
        reason = str(error.orig).splitlines()[0]
        raise ConfigurationError(
            f"The user of {safe_url(engine.url)} may not do this ({reason}): make it the owner of the database, or set"
            " DATABASE_URL to one it owns."
        ) from None
    finally:
        engine.dispose()
