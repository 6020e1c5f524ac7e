"""One client for Valkey: a connection for each thread, commands in one packet, and a breaker for outages.

Problem: redis-py's client borrows a connection from a pool, builds a command object and picks a callback for each call;
together that costs more than the round trip. And while the server hangs, each request would wait for its timeout.
Method: :class:`ThreadConnections` uses redis-py's connections alone: addresses, passwords, TLS, timeouts.
:class:`ValkeyClient` adds the error handling: a failed round trip opens an :class:`OutageBreaker`, and an open breaker
answers for the server at once. A request with less time than the timeout waits for less; if it waits in vain, that says
nothing about the server, and opens no breaker.
There are three breakers in the store, for three scopes. The ``OutageBreaker`` guards one server of this process: one
failure opens it, because the value can always be loaded without the cache. ``load_options.FailureBackoff`` delays the
load of single keys whose last load failed. ``patterns.resilience.breaker`` guards an external service for which there
is no replacement, so it counts failures in a window before it opens.
Source: Nygard, "Release It!", ch. 5 (circuit breaker); Valkey's documentation of pipelining.
"""

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from hiredis import pack_command
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from shop.clock import Clock
from shop.patterns.caching.events import Emit, LevelDown, LevelUp, ignore
from shop.patterns.resilience import deadlines
from shop.threads import reset_after_fork

Command = tuple[Any, ...]
"""The words of a command: texts, bytes and whole numbers."""
OUTAGE_PAUSE_S = 1.0
"""Seconds without a call after a failure: a dead server costs one timeout a second and process, not one a request."""


LEAST_WAIT_S = 0.02
"""Seconds that a call waits after its caller's deadline: an invalidation must be tried then too, and a server that is
well answers in a fraction of that."""
STEPS_OF_A_CONNECTION = 4
"""Connect, password, database, answer: the waits of a call that opens a connection."""


class CacheUnavailable(Exception):
    """The server did not answer in time, or its breaker is open."""


class CacheRefusedWrite(CacheUnavailable):
    """The server answered, and refused to write: it is full, or read-only."""


class ThreadConnections:
    """One connection for each thread that sends commands.

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
        self.timeout_s = timeout_s
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        """Own no connection: two processes that share a socket would read each other's replies."""
        self._of_thread = threading.local()
        self._all: weakref.WeakSet[ConnectionInterface] = weakref.WeakSet()

    def execute_pipeline(self, commands: Sequence[Command], within_s: float | None = None) -> list[Any]:
        """Send commands in one round trip and return their replies. It must be safe to send them twice.

        If the server answers a command with an error, the error stands in its place in the list, as a
        ``ResponseError``; the server has executed the other commands.

        Args:
            commands: what is sent.
            within_s: a limit for the whole call, if it is shorter than the timeout of one step.

        Raises:
            redis.RedisError: no answer in time, or no connection.
        """
        connection: ConnectionInterface | None = getattr(self._of_thread, "connection", None)
        if connection is not None and connection.is_connected:
            try:
                return _exchange(connection, commands, within_s)
            except Disconnected:
                pass  # perhaps the server was restarted since the last call; a new connection shows it
        if within_s is not None:
            return self._execute_once(commands, within_s)
        if connection is None:
            connection = self._of_thread.connection = self.open()
        return _exchange(connection, commands)

    def _execute_once(self, commands: Sequence[Command], within_s: float) -> list[Any]:
        """Send commands over a connection of their own: a later call must not inherit its short timeouts."""
        step_s = within_s / STEPS_OF_A_CONNECTION
        short = {"socket_timeout": step_s, "socket_connect_timeout": step_s}
        connection: ConnectionInterface = self._pool.connection_class(**{**self._pool.connection_kwargs, **short})
        try:
            return _exchange(connection, commands)
        finally:
            connection.disconnect()  # type: ignore[no-untyped-call]  # redis-py types only part of itself

    @property
    def database(self) -> int:
        """Return the number of the database in the address."""
        return int(self._pool.connection_kwargs.get("db") or 0)

    def open(self) -> ConnectionInterface:
        """Return a connection for the caller alone, not connected yet; :meth:`close` closes it too."""
        # Not by the pool's own method: the pool counts all connections it ever made, and stops at one hundred.
        connection: ConnectionInterface = self._pool.connection_class(**self._pool.connection_kwargs)
        self._all.add(connection)
        return connection

    def close(self) -> None:
        """Close every connection; the next call of a thread opens a new one."""
        for connection in list(self._all):
            connection.disconnect()  # type: ignore[no-untyped-call]  # redis-py types only part of itself


def _exchange(connection: Any, commands: Sequence[Command], within_s: float | None = None) -> list[Any]:
    waiting = {} if within_s is None else {"timeout": within_s}
    try:
        connection.send_packed_command([b"".join([pack_command(command) for command in commands])], check_health=False)
        replies: list[Any] = []
        for _ in commands:
            try:
                replies.append(connection.read_response(disable_decoding=True, **waiting))
            except ResponseError as error:
                replies.append(error)
        return replies
    except BaseException:
        connection.disconnect()  # the next call would read the rest of these replies as its own
        raise


class OutageBreaker:
    """Stops the calls to one server for a fixed time after a failure.

    Args:
        clock: measures the pause.
        pause_s: seconds from a failure to the next attempt.
    """

    def __init__(self, clock: Clock, pause_s: float) -> None:
        self._clock = clock
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._open_until: float | None = None
        self._reported_until = 0.0

    @property
    def is_open(self) -> bool:
        """Return whether the last call failed. It takes no lock: while the server answers, a call reads only this."""
        return self._open_until is not None

    def allow_request(self) -> bool:
        """Return whether the caller may try. After the pause one caller may; the others wait for its outcome."""
        with self._lock:
            now = self._clock.monotonic()
            if self._open_until is not None and now < self._open_until:
                return False
            if self._open_until is not None:
                self._open_until = now + self._pause_s
            return True

    def record_failure(self) -> bool:
        """Open the breaker, or keep it open; return whether this is the first failure of the pause, to be reported."""
        with self._lock:
            now = self._clock.monotonic()
            self._open_until = now + self._pause_s
            first = now >= self._reported_until
            if first:
                self._reported_until = self._open_until
            return first

    def record_success(self) -> bool:
        """Close the breaker; return whether it was open."""
        with self._lock:
            was_open, self._open_until = self._open_until is not None, None
            return was_open


class ValkeyClient:
    """Sends commands unless the server's breaker is open, and turns its errors into two exceptions.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` address.
        timeout_ms: milliseconds one connect, one write or one read may take.
        clock: measures the pause after a failure.
        name: names the server in events and exceptions.
        emit: receives the beginning and the end of an outage.
        on_wrong_type: called with the keys that held a value of another type and were deleted; may raise.
    """

    def __init__(
        self,
        url: str,
        timeout_ms: int,
        clock: Clock,
        name: str,
        emit: Emit = ignore,
        on_wrong_type: Callable[[list[str]], None] = lambda keys: None,
    ) -> None:
        self.connections = ThreadConnections(url, timeout_ms / 1000)
        self.name = name
        self._clock = clock
        self._emit = emit
        self._on_wrong_type = on_wrong_type
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self.breaker = OutageBreaker(self._clock, OUTAGE_PAUSE_S)

    def execute(
        self, commands: Sequence[Command], *, probe: Sequence[Command] = (), despite_outage: bool = False
    ) -> list[Any]:
        """Send commands in one round trip and return their replies; ``None`` where a key held another type.

        Args:
            commands: what is sent.
            probe: commands sent before them, in a round trip of their own; if they fail, ``commands`` are not sent.
            despite_outage: whether to try while the breaker is open.

        Raises:
            CacheRefusedWrite: the server refused a command.
            CacheUnavailable: the server did not answer in time, or the breaker is open.
        """
        breaker = self.breaker
        if breaker.is_open and not despite_outage and not breaker.allow_request():
            raise CacheUnavailable(self.name)
        wrong_keys: list[str] = []
        within_s = self._caller_limit_s()
        try:
            if probe:
                wrong_keys += self._resolve_errors(probe, self.connections.execute_pipeline(probe, within_s))
            replies = self.connections.execute_pipeline(commands, within_s)
            if any(isinstance(reply, ResponseError) for reply in replies):
                wrong_keys += self._resolve_errors(commands, replies)
        except (RedisError, OSError) as error:
            if within_s is None and breaker.record_failure():
                self._emit(LevelDown(self.name, type(error).__name__, OUTAGE_PAUSE_S))
            raise (CacheRefusedWrite if isinstance(error, ResponseError) else CacheUnavailable)(self.name) from error
        if breaker.is_open and breaker.record_success():
            self._emit(LevelUp(self.name))
        if wrong_keys:
            self._on_wrong_type(wrong_keys)
        return replies

    def _caller_limit_s(self) -> float | None:
        """Return the seconds that the caller waits; ``None`` if it waits for longer than the timeout."""
        left_s = deadlines.remaining()
        return max(LEAST_WAIT_S, left_s) if left_s < self.connections.timeout_s else None

    def _resolve_errors(self, commands: Sequence[Command], replies: list[Any]) -> list[str]:
        """Raise a refusal; delete the keys that hold a value of another type, and return them."""
        wrong: list[Command] = []
        for place, reply in enumerate(replies):
            if isinstance(reply, ResponseError):
                if not str(reply).startswith("WRONGTYPE"):
                    raise reply
                wrong.append(commands[place])
                replies[place] = None
        keys = list(dict.fromkeys(command[3] if command[0] == "EVAL" else command[1] for command in wrong))
        if keys:
            self.connections.execute_pipeline([("UNLINK", key) for key in keys])
        return keys

    def close(self) -> None:
        """Close every connection."""
        self.connections.close()
