"""The SQLAlchemy engine with its connection pool, the declarative base, and the settings of every session.

An engine must not be used after a fork: build :class:`Database` in the process that uses it.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import psycopg
from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Engine,
    MetaData,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

from shop.database import pool_events
from shop.database.connection import StoreConnection, WaitLimit
from shop.database.connection_pool import pool_with_deadline
from shop.database.pool_events import OnQuery
from shop.database.session import SessionSetup
from shop.errors import ConfigurationError
from shop.settings import Settings, mask_password

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""A constraint's name has its kind, table and column, so an error that quotes it can be understood."""


class ModelBase(DeclarativeBase):
    """The base of every feature's models."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


def sqlalchemy_url(url: str) -> URL:
    """Parse a PostgreSQL address in any common spelling, and set our driver in it.

    Raises:
        ConfigurationError: it is no PostgreSQL address.
    """
    try:
        parsed = make_url(re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg://", url))
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername != "postgresql+psycopg":
        raise ConfigurationError(
            f"DATABASE_URL={mask_password(url)} is not a PostgreSQL address; write postgresql://user:password@host:5432/name."
        )
    return parsed


def connection_parameters(url: str) -> dict[str, Any]:
    """Return an address as parameters of the driver, the same as SQLAlchemy's.

    The address as text would differ: SQLAlchemy writes a blank in ``options`` as ``+``, which libpq does not accept.

    Raises:
        ConfigurationError: it is no PostgreSQL address.
    """
    parsed = sqlalchemy_url(url)
    return dict(parsed.get_dialect()().create_connect_args(parsed)[1])


def safe_url(url: URL) -> str:
    """Return an address for messages: in the usual spelling, without its password."""
    return mask_password(url.set(drivername="postgresql").render_as_string(hide_password=False))


def require_utf8(connection: psycopg.Connection, address: str) -> None:
    """Require a database in UTF-8, which can store any text. The driver already knows the encoding: no query.

    Args:
        connection: to the database.
        address: of the database, without its password.

    Raises:
        ConfigurationError: it has another encoding.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise ConfigurationError(
            f"The database {address} is encoded in {encoding}, which cannot hold every text: make another by"
            " CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0, and set DATABASE_URL to that."
        )


def build_engine(
    settings: Settings,
    on_query: OnQuery = lambda seconds: None,
    time_left: Callable[[], float] = lambda: math.inf,
) -> Engine:
    """Build the pool of connections for one process.

    Args:
        settings: the database's address, pool size and timeouts.
        on_query: called with the seconds of each statement.
        time_left: returns the seconds until the deadline of the caller, at which its wait for a connection ends and
            its statement is interrupted; infinite without a deadline.

    Raises:
        ConfigurationError: no database address is configured, or it is malformed. Raised when it connects: the database
            is not in UTF-8, or a pooler in front gives clients no session of their own.
    """
    if settings.database_url is None:
        raise ConfigurationError("No database: start the stack with `bin/shop up`, or set DATABASE_URL.")
    engine = create_engine(
        sqlalchemy_url(settings.database_url),
        poolclass=pool_with_deadline(time_left),
        pool_size=settings.db_pool_size,
        max_overflow=0,
        pool_timeout=settings.db_pool_timeout_s,
        pool_use_lifo=True,  # unneeded connections stay idle until the server's idle_session_timeout closes them
        hide_parameters=True,  # an error in the log quotes no password hash, address or token
        connect_args={
            "connect_timeout": settings.db_connect_timeout_s,
            "application_name": "shop",
        },
    )
    limits = {
        "statement_timeout": f"{settings.db_statement_timeout_ms}ms",
        "lock_timeout": f"{settings.db_lock_timeout_ms}ms",
        "idle_session_timeout": f"{settings.db_idle_s}s",
    }
    configure_sessions(engine, limits, WaitLimit(settings.db_statement_timeout_ms / 1000, time_left))
    pool_events.close_read_only_sessions(engine)
    pool_events.check_each_connection(engine, lambda connection: require_utf8(connection, safe_url(engine.url)))
    pool_events.report_queries(engine, on_query)
    pool_events.replace_dead_connections(engine)
    return engine


def configure_sessions(engine: Engine, parameters: Mapping[str, str], limit: WaitLimit) -> None:
    """Make an engine open connections of :class:`StoreConnection`, with these parameters.

    Args:
        engine: it must not have connected yet.
        parameters: set at the start of each session.
        limit: for each wait for the server.
    """
    setup = SessionSetup(parameters, safe_url(engine.url))

    def connect(dialect: Any, record: ConnectionPoolEntry, arguments: Any, options: dict[str, Any]) -> StoreConnection:
        return setup.connect(lambda: StoreConnection.open(*arguments, wait_limit=limit, **options))

    event.listen(engine, "do_connect", connect)


def lift_limits(connection: Connection) -> None:
    """Remove the time limits of the open transaction and its statements.

    For migrations, loads and backups, for which no request waits.
    """
    driver = connection.connection.driver_connection
    if isinstance(driver, StoreConnection):
        driver.lift_limits()
