"""The limits of a session, in force behind a pooler too.

Problem: limits sent as ``options`` while connecting are refused by a pooler such as pgbouncer, or ignored by it, and
nothing says that statements then run without any. In its transaction mode two clients share a session of the server:
what one sets the other meets, and statements that the driver prepared are there or not, as it happens.
Method: the limits are set by one statement after connecting, unless the process that answers is not the one the server
named, which gives a pooler away. Then a second connection is opened, once: two that are open together and served by one
process have no sessions of their own, and the pooler is refused. In its session mode the limits are set all the same.
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
"""At each of two connections. A pooler gives out what was given back last: at rest the first look shows it, and under
load one of the next."""
CLOCK = {"TimeZone": "UTC"}


class SessionSetup:
    """What every session of a pool, or of one command, is told when it begins.

    Args:
        parameters: the server's names and values; those of :data:`CLOCK` are added.
        address: of the database, fit to be shown.
    """

    def __init__(self, parameters: Mapping[str, str], address: str) -> None:
        self._parameters = {**CLOCK, **parameters}
        self._address = address
        self._has_own_sessions = False

    def connect(self, connect: Callable[[], StoreConnection]) -> StoreConnection:
        """Open a connection whose session is its own, and on which the parameters hold.

        Args:
            connect: opens a connection.

        Raises:
            ConfigurationError: a pooler gives it no session of its own.
            psycopg.OperationalError: it cannot be opened.
        """
        connection = connect()
        try:
            self._begin(connection, connect)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin(self, connection: StoreConnection, connect: Callable[[], StoreConnection]) -> None:
        was, connection.autocommit = connection.autocommit, True  # what is set in a transaction can be rolled back
        if not self._set(connection, behind_pooler=False):
            self._require_own_session(connection, connect)
            self._set(connection, behind_pooler=True)
        connection.autocommit = was

    def _set(self, connection: StoreConnection, *, behind_pooler: bool) -> bool:
        """Set the parameters if the session may be told; return whether it was."""
        names, values = zip(*self._parameters.items(), strict=True)
        given = {"names": list(names), "values": list(values), "named": connection.info.backend_pid}
        row = connection.execute(SET, {**given, "behind_pooler": behind_pooler}).fetchone()
        return row is not None and bool(row[0])

    def _require_own_session(self, connection: StoreConnection, connect: Callable[[], StoreConnection]) -> None:
        if self._has_own_sessions:
            return
        with connect() as another:
            another.autocommit = True
            if _share_sessions(connection, another):
                raise ConfigurationError(
                    f"The database {self._address} is behind a pooler in transaction mode, where no time-out and no"
                    " prepared statement holds: set pool_mode = session there, or name PostgreSQL itself in"
                    " DATABASE_URL."
                )
        self._has_own_sessions = True


def _share_sessions(one: StoreConnection, another: StoreConnection) -> bool:
    pids: tuple[set[int], set[int]] = (set(), set())
    for _ in range(LOOKS):
        for seen, connection in zip(pids, (one, another), strict=True):
            seen |= {pid for (pid,) in connection.execute("SELECT pg_backend_pid()")}
    return max(map(len, pids)) > 1 or not pids[0].isdisjoint(pids[1])
