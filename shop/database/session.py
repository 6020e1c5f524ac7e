"""The parameters and limits of a session, also behind a connection pooler.

Problem: limits that are sent as ``options`` while connecting are refused or ignored by a pooler such as pgbouncer, and
without any message statements then run without limits. In the pooler's transaction mode, two clients share a session of
the server: one client's settings apply to the other, and prepared statements exist or not by chance.
Method: one statement after connecting sets the limits, if the process that answers is the one that the server
announced. Another process means that there is a pooler. Then a second connection is opened, once. If the server uses
one process for both open connections, clients have no sessions of their own, and the pooler is refused. In the pooler's
session mode the limits are set too.
Source: pgbouncer's manual, "SQL feature map for pooling modes"; PostgreSQL manual, 54.2.1 (BackendKeyData).
"""

from collections.abc import Callable, Mapping

from shop.database.connection import StoreConnection
from shop.errors import ConfigurationError

SET = """
    SELECT array_agg(set_config(name, value, false)) IS NOT NULL
    FROM unnest(%(names)s::text[], %(values)s::text[]) AS wanted (name, value)
    WHERE pg_backend_pid() = %(named)s OR %(behind_pooler)s
"""
LOOKS = 5
"""Queries on each of two connections. A pooler reuses the session that was returned last: without load the first query
shows it, under load one of the next."""
CLOCK = {"TimeZone": "UTC"}


class SessionSetup:
    """Sets the parameters of every session of a pool, or of one command, at its start.

    Args:
        parameters: names and values of PostgreSQL's parameters; those of :data:`CLOCK` are added.
        address: of the database, without its password.
    """

    def __init__(self, parameters: Mapping[str, str], address: str) -> None:
        self._parameters = {**CLOCK, **parameters}
        self._address = address
        self._has_own_sessions = False

    def connect(self, connect: Callable[[], StoreConnection]) -> StoreConnection:
        """Open a connection with its own session and with the parameters.

        Args:
            connect: opens a connection.

        Raises:
            ConfigurationError: a pooler gives it no session of its own.
            psycopg.OperationalError: it cannot be opened.
        """
        connection = connect()
        try:
            autocommit, connection.autocommit = connection.autocommit, True  # a rollback would undo the parameters
            if not self._set(connection, behind_pooler=False):
                self._require_own_session(connection, connect)
                self._set(connection, behind_pooler=True)
            connection.autocommit = autocommit
        except BaseException:
            connection.close()
            raise
        return connection

    def _set(self, connection: StoreConnection, *, behind_pooler: bool) -> bool:
        """Set the parameters, unless a pooler is found that was not expected; return whether they were set."""
        names, values = zip(*self._parameters.items(), strict=True)
        arguments = {"names": list(names), "values": list(values), "named": connection.info.backend_pid}
        row = connection.execute(SET, {**arguments, "behind_pooler": behind_pooler}).fetchone()
        return row is not None and bool(row[0])

    def _require_own_session(self, connection: StoreConnection, connect: Callable[[], StoreConnection]) -> None:
        if self._has_own_sessions:
            return
        with connect() as another:
            another.autocommit = True
            pids: tuple[set[int], set[int]] = (set(), set())
            for _ in range(LOOKS):
                for own_pids, one in zip(pids, (connection, another), strict=True):
                    own_pids |= {pid for (pid,) in one.execute("SELECT pg_backend_pid()")}
            if max(map(len, pids)) > 1 or not pids[0].isdisjoint(pids[1]):
                raise ConfigurationError(
                    f"The database {self._address} is behind a pooler in transaction mode, where no timeout and no"
                    " prepared statement holds: set pool_mode = session there, or set DATABASE_URL to PostgreSQL"
                    " itself."
                )
        self._has_own_sessions = True
