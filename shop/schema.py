"""The database's schema: where it stands, and how it is brought up to date."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from shop.settings import PROJECT_ROOT

MIGRATION_LOCK = 7_411_905_233
"""Key of the advisory lock that makes two migrating processes take turns (any constant of ours will do)."""


def upgrade(engine: Engine) -> list[str]:
    """Bring the schema to the newest revision; safe to call twice, and from two processes at once.

    Returns:
        The revisions applied, oldest first; empty when there was nothing to do.
    """
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        missing = pending(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return missing


def pending(connection: Connection) -> list[str]:
    """Return the revisions the database still lacks, oldest first."""
    script = ScriptDirectory.from_config(_config())
    current = MigrationContext.configure(connection).get_current_revision()
    return [revision.revision for revision in reversed(list(script.iterate_revisions("head", current)))]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(PROJECT_ROOT / "migrations"))
    return config
