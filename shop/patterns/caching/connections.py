"""Talking to Valkey with as little as possible in between: one connection a thread, commands sent in one packet.

redis-py's client borrows a connection from a pool, builds a command object, and picks a callback for each call; that
costs more than the round trip itself. Its connections alone give what is needed: addresses, passwords, TLS, timeouts.
"""

import threading
import weakref
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ResponseError
from redis.retry import Retry

from shop.patterns.caching.after_fork import in_every_child

Command = tuple[Any, ...]
"""A command's words: texts, bytes and whole numbers."""


class ThreadConnections:
    """One connection for each thread that asks.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` address.
        timeout_s: seconds one connect, one write or one read may take.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # no HELLO: a new connection costs no round trip of its own
            driver_info=None,
        )
        self._start_empty()
        in_every_child(self._start_empty)

    def _start_empty(self) -> None:
        """Own no connection: two processes that speak on one socket read each other's answers."""
        self._of_thread = threading.local()
        self._all: weakref.WeakSet[ConnectionInterface] = weakref.WeakSet()

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one round trip and return their answers. They must bear being sent twice.

        An error as an answer stands in its place, as a ``ResponseError``: the other commands were done all the same.

        Raises:
            redis.RedisError: no answer in time, or no connection.
        """
        connection: ConnectionInterface | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = self.open()
        elif connection.is_connected:
            try:
                return _talk(connection, commands)
            except Disconnected:
                pass  # the server was restarted since this thread last asked; a new connection will tell
        return _talk(connection, commands)

    @property
    def database(self) -> int:
        """Return the number of the database the address names."""
        return int(self._pool.connection_kwargs.get("db") or 0)

    def open(self) -> ConnectionInterface:
        """Return a connection of the caller's own, not connected yet; :meth:`close` closes it too."""
        # Not by the pool's own method: it counts what it ever made, and after a hundred threads it makes no more.
        connection: ConnectionInterface = self._pool.connection_class(**self._pool.connection_kwargs)
        self._all.add(connection)
        return connection

    def close(self) -> None:
        """Close every connection; a thread that asks again gets a new one."""
        for connection in list(self._all):
            connection.disconnect()  # type: ignore[no-untyped-call]  # redis-py types only part of itself


def _talk(connection: Any, commands: Sequence[Command]) -> list[Any]:
    try:
        connection.send_packed_command([b"".join([pack_command(command) for command in commands])], check_health=False)
        return [_answer(connection) for _ in commands]
    except BaseException:
        connection.disconnect()  # answers left unread would be taken for those of the next question
        raise


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


def refusal(answers: Sequence[Any]) -> ResponseError | None:
    """Return the first error among some answers; what only speaks of one key's type is none."""
    return next((one for one in answers if isinstance(one, ResponseError) and not _of_type(one)), None)


def misused(commands: Sequence[Command], answers: Sequence[Any]) -> list[str]:
    """Return the keys under which something of another type stands than the commands need."""
    wrong = (command for command, one in zip(commands, answers, strict=True) if _of_type(one))
    return list(dict.fromkeys(command[3] if command[0] == "EVAL" else command[1] for command in wrong))


def _of_type(answer: Any) -> bool:
    return isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE")
