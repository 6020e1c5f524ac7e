"""Listeners on the events of the connection pool: dead connections, read-only servers, checks, query times."""

import select
import time
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from shop.database.errors import is_read_only
from shop.errors import ConfigurationError

IDLE_S = 10.0
"""A proxy or address translation keeps an idle connection for longer than this."""
_USED_AT = "shop.used_at"

OnQuery = Callable[[float], None]
"""Called with the seconds that a statement took."""


def replace_dead_connections(engine: Engine) -> None:
    """Make a restart of the server cost one new connection, and not one failed request per connection.

    SQLAlchemy's own ``pool_pre_ping`` asks the server before every use: one round trip per transaction. But a server
    that has ended a session has closed its socket, and the client can see that without a round trip. So a connection is
    pinged only if its socket is readable, or if it was idle for so long that something between may have dropped it.
    """

    def check(connection: Any, record: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
        idle_s = time.monotonic() - record.info.get(_USED_AT, 0)
        if idle_s < IDLE_S and not is_readable(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.errors.IdleSessionTimeout as error:  # only this session; the others may live
            raise DisconnectionError("the server has ended an idle session") from error
        except psycopg.Error as error:
            raise InvalidatePoolError("the server has ended this session") from error

    def record_use(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_USED_AT] = time.monotonic()

    event.listen(engine, "connect", record_use)
    event.listen(engine, "checkin", record_use)
    event.listen(engine, "checkout", check)


def is_readable(connection: psycopg.Connection) -> bool:
    """Return whether an idle connection is closed, or its server has sent something, such as the end of the session."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def close_read_only_sessions(engine: Engine) -> None:
    """Close a session after the server has refused a write as read-only, so that the next write connects anew.

    After a failover the address leads to another server, but open connections stay with the old one.
    """

    def close_if_read_only(context: ExceptionContext) -> None:
        if is_read_only(context.original_exception):
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False  # other connections can still read

    event.listen(engine, "handle_error", close_if_read_only)


def check_each_connection(engine: Engine, require: Callable[[psycopg.Connection], None]) -> None:
    """Check each new connection of an engine; ``require`` raises ``ConfigurationError`` for one it cannot use."""

    def check(connection: psycopg.Connection, record: ConnectionPoolEntry) -> None:
        try:
            require(connection)
        except ConfigurationError:
            connection.close()
            raise

    event.listen(engine, "connect", check, insert=True)  # before SQLAlchemy's own first queries, which expect text


def report_queries(engine: Engine, on_query: OnQuery) -> None:
    """Call ``on_query`` after each statement."""

    def before(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any) -> None:
        context.started_at = time.perf_counter()

    def after(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any) -> None:
        on_query(time.perf_counter() - context.started_at)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
