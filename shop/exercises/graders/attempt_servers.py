"""Real servers for a behavioural check: an empty Valkey database and an empty PostgreSQL schema.

The libraries are imported where they are used: most exercises need none of them.
"""

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from shop.exercises.server_addresses import ServerAddresses
from shop.exercises.verdict import CannotJudge

if TYPE_CHECKING:
    import redis
    from sqlalchemy import Engine

SOCKET_TIMEOUT_S = 10
"""Longer than any wait of a check; a server that hangs must not look like an attempt that does."""
STATEMENT_TIMEOUT_MS = 10_000
LOST_CLIENT_MS = 200
"""A killed attempt must not keep its locks until its statement ends: the next check empties the schema."""
POOL_SIZE = 16
"""Connections for the threads of a race."""


def load_libraries(addresses: ServerAddresses) -> None:
    """Import the libraries of the servers that a check uses: its first call must not have to wait for that.

    Args:
        addresses: of the servers.
    """
    if addresses.valkey_url:
        import_module("redis")
    if addresses.database_url:
        import_module("sqlalchemy.dialects.postgresql.psycopg")
        import_module("psycopg")


class AttemptServers:
    """Gives one behavioural check its servers, and closes the connections at its end.

    Args:
        addresses: of the servers.
        number: of the check in its exercise, from 0: each check has a schema of its own.
    """

    def __init__(self, addresses: ServerAddresses, number: int) -> None:
        self._addresses = addresses
        self._number = number
        self._clients: list[redis.Redis] = []
        self._engines: list[Engine] = []

    def valkey(self) -> "redis.Redis":
        """Return a client with connections of its own, as another process has. The first call empties the database."""
        import redis

        url = _require(self._addresses.valkey_url, "valkey")
        # Without driver_info=None, the driver reads its own package metadata for each connection: three times the work.
        client = redis.Redis.from_url(url, socket_timeout=SOCKET_TIMEOUT_S, driver_info=None)
        if not self._clients:
            client.flushdb()
        self._clients.append(client)
        return client

    def database(self) -> "Engine":
        """Return an engine with connections of its own, as another process has. Its schema is empty at first."""
        from sqlalchemy import create_engine, event, make_url

        url = make_url(_require(self._addresses.database_url, "postgresql")).set(drivername="postgresql+psycopg")
        engine = create_engine(url, pool_size=POOL_SIZE, use_native_hstore=False)
        event.listen(engine, "connect", self._prepare_session)
        self._engines.append(engine)
        return engine

    def memcached(self) -> str:
        """Return the path of the socket of a Memcached that nothing else uses."""
        return _require(self._addresses.memcached_path, "memcached")

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients:
            with suppress(Exception):
                client.close()
        for engine in self._engines:
            with suppress(Exception):
                engine.dispose()

    def _prepare_session(self, connection: Any, record: object) -> None:
        """Set the session's parameters by a statement: a connection pooler may ignore those of the address."""
        connection.autocommit = True
        schema = self._addresses.schema(self._number)
        connection.execute(
            f"SET search_path TO {schema}; SET statement_timeout TO {STATEMENT_TIMEOUT_MS};"
            f" SET client_connection_check_interval TO {LOST_CLIENT_MS}"
        )
        connection.autocommit = False

    def require_answers(self) -> None:
        """Require that every server which the check has used still answers: a failure is the attempt's only then.

        Raises:
            CannotJudge: a server does not answer.
        """
        try:
            if self._clients:
                self.valkey().ping()
            if self._engines:
                with self.database().connect() as connection:
                    connection.exec_driver_sql("SELECT 1")
        except Exception as error:
            raise CannotJudge(f"A server stopped during the check ({type(error).__name__}).") from error


def _require(url: str, server: str) -> str:
    if not url:
        raise CannotJudge(f"The grader uses {server}, and `servers` in the table [build] does not name it.")
    return url
