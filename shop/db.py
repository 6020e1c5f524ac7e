"""The engine, the declarative base, and what every query reports.

An engine must not cross a fork: build :class:`Database` in the process that uses it.
"""

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import URL, DateTime, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase

from shop.errors import ConfigurationError
from shop.settings import Settings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""A constraint's name says what it is, so an error that quotes it can be understood."""


class Base(DeclarativeBase):
    """The base of every feature's models."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


OnQuery = Callable[[float], None]
"""Told of each statement that ran: seconds it took."""


def sqlalchemy_url(url: str) -> URL:
    """Read a PostgreSQL address in any common spelling and name our driver in it.

    Raises:
        ConfigurationError: it is no PostgreSQL address.
    """
    try:
        parsed = make_url(re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg://", url))
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername != "postgresql+psycopg":
        raise ConfigurationError(
            f"DATABASE_URL={url!r} is not a PostgreSQL address; write postgresql://user:password@host:5432/name."
        )
    return parsed


def build_engine(settings: Settings, on_query: OnQuery = lambda seconds: None) -> Engine:
    """Build the pool of connections for one process.

    Args:
        settings: where the database is, pool size and timeouts.
        on_query: told of each statement that ran.

    Raises:
        ConfigurationError: no database address is known, or it is malformed.
    """
    if settings.database_url is None:
        raise ConfigurationError("No database: start the stack with `shop up`, or set DATABASE_URL.")
    engine = create_engine(
        sqlalchemy_url(settings.database_url),
        pool_size=settings.db_pool_size,
        max_overflow=0,
        pool_timeout=settings.db_pool_timeout_s,
        pool_pre_ping=True,  # a restarted server costs one ping, not one failed request a connection
        pool_use_lifo=True,
        hide_parameters=True,  # an error that reaches the log quotes no password hash, address or token
        connect_args={
            "connect_timeout": settings.db_connect_timeout_s,
            "application_name": "shop",
            "options": (
                f"-c statement_timeout={settings.db_statement_timeout_ms} -c lock_timeout={settings.db_lock_timeout_ms}"
                " -c timezone=UTC"
            ),
        },
    )
    _report_queries(engine, on_query)
    return engine


def _report_queries(engine: Engine, on_query: OnQuery) -> None:
    def before(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any) -> None:
        context.started_at = time.perf_counter()

    def after(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any) -> None:
        on_query(time.perf_counter() - context.started_at)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
