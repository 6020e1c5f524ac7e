"""The database's schema: where it stands, and how it is brought up to date.

Revisions are numbered files, one after the other, so where a schema stands can be told without loading Alembic: every
web worker asks before it serves, and none of them ever migrates.
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
"""Key of the advisory lock that makes two migrating processes take turns (any constant of ours will do)."""
OTHERS = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema() AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname <> 'alembic_version'
        AND NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
        )
    ORDER BY relname LIMIT 1
"""
"""A table or view that is there already; what an extension brought along does not count."""


def upgrade(engine: Engine) -> list[str]:
    """Bring the schema to the newest revision; safe to call twice, and from two processes at once.

    Returns:
        The revisions applied, oldest first; empty when there was nothing to do.

    Raises:
        ConfigurationError: the schema is newer than this code, the database holds something else, or it takes no
            changes.
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
    """Return the revisions the database still lacks, oldest first.

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
    """Bring the schema of an emptied database up or down to a revision, in the caller's transaction.

    Raises:
        ConfigurationError: the schema is newer than this code, or the database holds something else.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    if pending(connection) == revisions():
        _require_empty(connection)
    if current_revision(connection) != revision:
        _run_alembic(connection, revision, down=current_revision(connection) > revision)


def require_current(connection: Connection) -> None:
    """Make sure the schema is the one this code was written for.

    Raises:
        ConfigurationError: it is older, or newer.
    """
    missing = pending(connection)
    if missing:
        raise ConfigurationError(f"The database's schema lacks {', '.join(missing)}: run `shop migrate` first.")


def revisions() -> list[str]:
    """Return every revision this code knows, oldest first: the numbers the files of ``migrations`` start with."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def current_revision(connection: Connection) -> str:
    """Return the revision the database is at; empty where it has no schema of the store."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def _require_empty(connection: Connection) -> None:
    """Leave a database alone that was not made for the store: its tables may have the names of ours."""
    other = connection.scalar(text(OTHERS))
    if other is not None:
        raise ConfigurationError(
            f"The database {safe_url(connection.engine.url)} holds other tables, such as {other}, and none of the"
            " store's: name an empty one in DATABASE_URL. Nothing was changed."
        )


def _run_alembic(connection: Connection, revision: str = "head", *, down: bool = False) -> None:
    from alembic import command  # here: almost every start finds nothing to do, and it takes a quarter of a second

    config = _config()
    config.attributes["connection"] = connection
    (command.downgrade if down else command.upgrade)(config, revision)


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
