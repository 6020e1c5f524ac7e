"""The store's database, for commands that work on it: it answers, and its schema is this code's."""

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
    """Return the settings of a store that can be worked on, addresses filled in.

    Args:
        role: as whom the stack's own database is entered, if not as its servers do.

    Raises:
        ConfigurationError: there is no database, it does not answer, or its schema is older or newer than this code.
    """
    settings = resolve(load_settings(), role)
    with open_engine(settings) as engine, engine.connect() as connection:
        require_current(connection)
    return settings


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """Open an engine on the store's database, whatever its schema is.

    Raises:
        ConfigurationError: there is no database, it does not answer or takes no changes, or its user may not do what is
            asked.
    """
    engine = build_engine(settings)
    try:
        yield engine
    except OperationalError as error:
        if sqlstate(error):
            raise
        why = " ".join(str(error.orig).split())
        raise ConfigurationError(
            f"The database {safe_url(engine.url)} does not answer ({why}): start it, or set DATABASE_URL to another."
        ) from None
    except InternalError as error:
        if not is_read_only(error.orig):
            raise
        raise read_only_refusal(safe_url(engine.url)) from None
    except ProgrammingError as error:
        if sqlstate(error) != INSUFFICIENT_PRIVILEGE:
            raise
        why = str(error.orig).splitlines()[0]
        raise ConfigurationError(
            f"The user of {safe_url(engine.url)} may not do this ({why}): make it the owner of the database, or set"
            " DATABASE_URL to one it owns."
        ) from None
    finally:
        engine.dispose()
