"""The engine, the declarative base, and what every query reports.

An engine must not cross a fork: build :class:`Database` in the process that uses it.
"""

import math
import re
import select
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import psycopg
from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Engine,
    ExceptionContext,
    MetaData,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DisconnectionError, InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from shop.database.connection import StoreConnection, WaitLimit
from shop.database.errors import is_read_only
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
"""A constraint's name says what it is, so an error that quotes it can be understood."""


class ModelBase(DeclarativeBase):
    """The base of every feature's models."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


IDLE_S = 10.0
"""Shorter than any proxy or address translation forgets a connection that says nothing."""
_USED = "shop.used_at"

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
            f"DATABASE_URL={mask_password(url)} is not a PostgreSQL address; write postgresql://user:password@host:5432/name."
        )
    return parsed


def connection_parameters(url: str) -> dict[str, Any]:
    """Return an address as the driver's own parameters, which SQLAlchemy passes on, too.

    Written as text again they differ: SQLAlchemy writes a blank in ``options`` as ``+``, which libpq does not read.

    Raises:
        ConfigurationError: it is no PostgreSQL address.
    """
    parsed = sqlalchemy_url(url)
    return dict(parsed.get_dialect()().create_connect_args(parsed)[1])


def safe_url(url: URL) -> str:
    """Return an address fit to be shown: in the usual spelling, without its password."""
    return mask_password(url.set(drivername="postgresql").render_as_string(hide_password=False))


def require_utf8(connection: psycopg.Connection, address: str) -> None:
    """Make sure that the database can hold any text. The server has said how it is encoded; it is not asked again.

    Args:
        connection: to the database.
        address: of it, fit to be shown.

    Raises:
        ConfigurationError: it is encoded in something else.
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
        settings: where the database is, pool size and timeouts.
        on_query: told of each statement that ran.
        time_left: returns the seconds the caller of a statement has, at the end of which it is cut off; infinite where
            nobody waits.

    Raises:
        ConfigurationError: no database address is known, or it is malformed; when it connects, also that the database
            is not in UTF-8, or behind a pooler that gives no session of one's own.
    """
    if settings.database_url is None:
        raise ConfigurationError("No database: start the stack with `shop up`, or set DATABASE_URL.")
    engine = create_engine(
        sqlalchemy_url(settings.database_url),
        pool_size=settings.db_pool_size,
        max_overflow=0,
        pool_timeout=settings.db_pool_timeout_s,
        pool_use_lifo=True,  # what is not needed lies still, until the server's idle_session_timeout ends it
        hide_parameters=True,  # an error that reaches the log quotes no password hash, address or token
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
    _leave_read_only_sessions(engine)
    _refuse_other_encodings(engine)
    _report_queries(engine, on_query)
    _replace_the_dead(engine)
    return engine


def configure_sessions(engine: Engine, parameters: Mapping[str, str], limit: WaitLimit) -> None:
    """Let an engine open connections of ours.

    Args:
        engine: of which nothing is connected yet.
        parameters: what each session is told.
        limit: bounds each wait for the server.
    """
    setup = SessionSetup(parameters, safe_url(engine.url))

    def connect(dialect: Any, record: ConnectionPoolEntry, given: Any, named: dict[str, Any]) -> StoreConnection:
        return setup.connect(lambda: StoreConnection.open(*given, wait_limit=limit, **named))

    event.listen(engine, "do_connect", connect)


def _leave_read_only_sessions(engine: Engine) -> None:
    """Use no session again that turned out to take no changes, so that a server that takes them again is met anew.

    After a failover the address leads to another server, and what was connected stays with the old one.
    """

    def judge(context: ExceptionContext) -> None:
        if is_read_only(context.original_exception):
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False  # the others may still be read from

    event.listen(engine, "handle_error", judge)


def lift_limits(connection: Connection) -> None:
    """Let the statements of the open transaction, and the transaction itself, take as long as they do.

    For migrations, loads and backups, which nobody waits for.
    """
    driver = connection.connection.driver_connection
    if isinstance(driver, StoreConnection):
        driver.lift_limits()


def _refuse_other_encodings(engine: Engine) -> None:
    def check(connection: psycopg.Connection, record: ConnectionPoolEntry) -> None:
        try:
            require_utf8(connection, safe_url(engine.url))
        except ConfigurationError:
            connection.close()
            raise

    event.listen(engine, "connect", check, insert=True)  # before SQLAlchemy's own first questions, which expect text


def _replace_the_dead(engine: Engine) -> None:
    """Let a restarted server cost one connection anew, and not one failed request a connection.

    SQLAlchemy's own ``pool_pre_ping`` asks the server before every use: a round trip a transaction. But a server that
    ended a session has closed its socket, which shows here without asking anybody. Only a connection that has something
    to say unasked is pinged, and one that lay idle for so long that something on the way may have forgotten it.
    """

    def check(connection: Any, record: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
        idle_s = time.monotonic() - record.info.get(_USED, 0)
        if idle_s < IDLE_S and not _has_something_to_say(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.errors.IdleSessionTimeout as error:  # says nothing about the others
            raise DisconnectionError("the server has ended a session that nobody used") from error
        except psycopg.Error as error:
            raise InvalidatePoolError("the server has ended this session") from error

    def note(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_USED] = time.monotonic()

    event.listen(engine, "connect", note)
    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", check)


def _has_something_to_say(connection: psycopg.Connection) -> bool:
    if connection.closed:
        return True
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return bool(socket.poll(0))


def _report_queries(engine: Engine, on_query: OnQuery) -> None:
    def before(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any) -> None:
        context.started_at = time.perf_counter()

    def after(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any) -> None:
        on_query(time.perf_counter() - context.started_at)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
