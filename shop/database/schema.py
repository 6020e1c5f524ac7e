"""The database's schema: its current revision, and migrations to a newer one.

Revisions are numbered files in one linear sequence, so the current revision can be compared without loading Alembic:
every web worker does it before it serves, and no web worker migrates.
"""

from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from shop.database.engine import lift_limits, safe_url
from shop.database.requirements import require_writable
from shop.errors import ConfigurationError
from shop.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = PROJECT_ROOT / "migrations"
MIGRATION_LOCK = 7_411_905_233
"""Key of the advisory lock, with which two migrating processes run one after the other (any constant would do)."""
OTHER_TABLES = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema() AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname <> 'alembic_version'
        AND NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
        )
    ORDER BY relname LIMIT 1
"""
"""Selects a table or view in the schema; tables of extensions do not count."""


def upgrade(engine: Engine) -> list[str]:
    """Migrate the schema to the newest revision; safe to call twice, and from two processes at once.

    Returns:
        The applied revisions, oldest first; empty if there was nothing to do.

    Raises:
        ConfigurationError: the schema is newer than this code, the database has other tables, or it is read-only.
    """
    with engine.begin() as connection:
        require_writable(connection.connection.driver_connection, safe_url(engine.url))
        lift_limits(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        missing = pending(connection)
        if missing == revisions():
            _require_empty(connection)
        if missing:
            _run_alembic(connection)
    return missing


def pending(connection: Connection) -> list[str]:
    """Return the revisions that the database does not have yet, oldest first.

    Raises:
        ConfigurationError: the schema is newer than this code, or another program's.
    """
    current, known = current_revision(connection), revisions()
    if current and not current.isdecimal():
        raise ConfigurationError(
            f"The database {safe_url(connection.engine.url)} is another program's (its revision is {current}):"
            " name an empty one in DATABASE_URL."
        )
    if current and current not in known:
        raise ConfigurationError(
            f"The database is at revision {current}, newer than this code's {known[-1]}: bring the code up to date,"
            " or set DATABASE_URL to another database."
        )
    return [revision for revision in known if revision > current]


def move_to(connection: Connection, revision: str) -> None:
    """Migrate the schema of an emptied database up or down to a revision, in the caller's transaction.

    Raises:
        ConfigurationError: the schema is newer than this code, or the database has other tables.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    if pending(connection) == revisions():
        _require_empty(connection)
    if current_revision(connection) != revision:
        _run_alembic(connection, revision, down=current_revision(connection) > revision)


def require_current(connection: Connection) -> None:
    """Require the schema of this release.

    Raises:
        ConfigurationError: the schema is older or newer.
    """
    missing = pending(connection)
    if missing:
        raise ConfigurationError(f"The database's schema lacks {', '.join(missing)}: run `bin/shop migrate` first.")


def revisions() -> list[str]:
    """Return every revision of this code, oldest first: the numbers at the start of the migrations' file names."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def current_revision(connection: Connection) -> str:
    """Return the revision of the database; empty if it has no schema of the store."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def alembic_config() -> "Config":
    """Return Alembic's configuration for the migrations of the store."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _require_empty(connection: Connection) -> None:
    """Refuse a database with tables of another program: they may have the names of the store's tables."""
    other = connection.scalar(text(OTHER_TABLES))
    if other is not None:
        raise ConfigurationError(
            f"The database {safe_url(connection.engine.url)} holds other tables, such as {other}, and none of the"
            " store's: name an empty one in DATABASE_URL. Nothing was changed."
        )


def _run_alembic(connection: Connection, revision: str = "head", *, down: bool = False) -> None:
    from alembic import command  # here: the import takes a quarter of a second, and most starts do not need it

    config = alembic_config()
    config.attributes["connection"] = connection
    (command.downgrade if down else command.upgrade)(config, revision)
