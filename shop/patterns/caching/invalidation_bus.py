"""Telling every process which tags were invalidated and what was filled, over Valkey's publish and subscribe.

Whoever invalidates publishes the tags behind the new versions, on the same connection: who hears the message and then
reads sees the new versions. A subscriber is told nothing of what it missed, so being heard is a state of its own: the
listener reports when it begins and when it ends, and asks for a sign of life where nothing is said for long.
Source: Valkey's documentation of SUBSCRIBE and PUBLISH: messages are delivered at most once.
"""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as Silent

from shop import threads
from shop.patterns.caching.connections import Command, ThreadConnections
from shop.patterns.caching.events import CameBack, Emit, WentAway, ignore
from shop.patterns.caching.fill_waiters import FillWaiters

HEARTBEAT_S = 1.0
"""Silence after which a sign of life is asked for; as long again, and the connection counts as lost."""
SIGNED_MS = 2_000
"""Life of signatures: longer than anybody waits for them."""
RETRY_S = 0.5
"""Seconds between two attempts to listen."""


_log = logging.getLogger(__name__)


class InvalidationSubscriber(Protocol):
    """Who the listener tells."""

    @property
    def name(self) -> str:
        """Return its name, for events."""

    def hears(self, *, broadcasts: bool) -> None:
        """Take note that broadcasts are heard from now on, or no longer. Called when that changes, and at the start."""

    def drop(self, tags: Sequence[str]) -> None:
        """Take note of an invalidation."""


class PendingDelivery(Protocol):
    """Who delivers to the server what it refused (see ``shared``)."""

    def owe(self, tags: Sequence[str]) -> None:
        """Take note of an invalidation that was refused, to any process."""

    def doubt(self) -> None:
        """Take note that refusals may have been missed: broadcasts are heard only from now on."""

    def settle(self) -> None:
        """Try to deliver what is owed. Called at least once a second while broadcasts are heard."""


def publishing(connections: ThreadConnections, tags: Sequence[str]) -> Command:
    """Return the command that tells every listener."""
    return ("PUBLISH", _channel(connections), json.dumps(tags))


def refusing(connections: ThreadConnections, tags: Sequence[str]) -> Command:
    """Return the command that tells every listener of an invalidation that the server has refused to write."""
    return ("PUBLISH", _refused(connections), json.dumps(tags))


def ticketing(connections: ThreadConnections, ticket: str) -> Command:
    """Return the command that has every listener sign that it has heard all that was said before; see ``barrier``."""
    return ("PUBLISH", _tickets(connections), ticket)


def signatures(ticket: str) -> str:
    """Return the key under which a ticket is signed."""
    return f"shop:1:heard:{ticket}"


def announcing(connections: ThreadConnections, name: str) -> Command:
    """Return the command that tells every listener that the load called ``name`` has ended."""
    return ("PUBLISH", _fills(connections), name)


class InvalidationListener:
    """One thread that hears the broadcasts for this process.

    Args:
        url: the same address the shared level has.
        hearer: is told what was invalidated.
        emit: told when the connection is lost and when it is back.
        waiting: is told what was filled; nobody by default.
        debtor: is told what was refused; nobody by default.
    """

    def __init__(
        self,
        url: str,
        hearer: InvalidationSubscriber,
        emit: Emit = ignore,
        waiting: FillWaiters | None = None,
        debtor: PendingDelivery | None = None,
    ) -> None:
        self._connections = ThreadConnections(url, HEARTBEAT_S)
        self._hearer = hearer
        self._waiting = waiting or FillWaiters()
        self._debtor = debtor
        self._emit = emit
        self._stopped = threading.Event()
        self._tried = threading.Event()
        self._lost = False
        self._hears: bool | None = None
        """What was told last; nothing yet."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen in a daemon thread; return when the first attempt has succeeded or failed. Call it after a fork."""
        self._thread = threading.Thread(target=self._run, name="invalidations", daemon=True)
        self._thread.start()
        self._tried.wait(2 * HEARTBEAT_S)

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        self._stopped.set()
        self._connections.close()
        if self._thread is not None:
            self._thread.join(2 * HEARTBEAT_S)

    @property
    def fault(self) -> str:
        """What is wrong; empty while the thread lives, whether or not anything can be heard just now."""
        return threads.thread_fault(self._thread, self._stopped)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - whatever it was, broadcasts are no longer heard
                self._guarded(partial(self._report, error))
            self._guarded(partial(self._tell, broadcasts=False))
            self._tried.set()
            self._stopped.wait(RETRY_S)

    def _guarded(self, tell: Callable[[], None]) -> None:
        """Tell one of those that listen; an error of its own must not make this process deaf for good."""
        try:
            tell()
        except Exception:  # noqa: BLE001 - whatever it is, it is logged, and broadcasts are heard again
            _log.exception("listener_not_told", extra={"hearer": self._hearer.name})

    def _listen(self) -> None:
        connection: Any = self._connections.open()
        try:
            connection.connect()
            channels = [name(self._connections) for name in (_channel, _fills, _refused, _tickets)]
            connection.send_command("SUBSCRIBE", *channels, check_health=False)
            for _ in channels:
                connection.read_response()
            self._begin()
            while not self._stopped.is_set():
                self._hear(connection)
                if self._debtor is not None:
                    self._debtor.settle()
        finally:
            connection.disconnect()

    def _begin(self) -> None:
        if self._debtor is not None:
            self._debtor.doubt()
        self._tell(broadcasts=True)
        self._tried.set()
        if self._lost:
            self._lost = False
            self._emit(CameBack(self._hearer.name))

    def _tell(self, *, broadcasts: bool) -> None:
        """Say whether broadcasts are heard, where that has changed: each time, hearers drop all they have."""
        if self._hears is not broadcasts:
            self._hears = None  # until everybody has taken note of it
            self._waiting.hears(broadcasts=broadcasts)
            self._hearer.hears(broadcasts=broadcasts)
            self._hears = broadcasts

    def _hear(self, connection: Any) -> None:
        """Wait for one message."""
        try:
            kind, channel, *said = connection.read_response(timeout=HEARTBEAT_S, disconnect_on_error=False)
        except Silent:
            connection.send_command("PING", check_health=False)
            kind, channel, *said = connection.read_response()  # a pong, or a message that came before it
        if kind != b"message":
            return
        if channel.decode() == _fills(self._connections):
            self._waiting.wake(said[0].decode())
            return
        if channel.decode() == _tickets(self._connections):
            self._sign(said[0].decode())
            return
        tags = json.loads(said[0])
        if channel.decode() == _refused(self._connections) and self._debtor is not None:
            self._debtor.owe(tags)  # first: what is read from now on comes after the delivery
        self._hearer.drop(tags)

    def _sign(self, ticket: str) -> None:
        """Say that all was dealt with that was said before."""
        key = signatures(ticket)
        with suppress(RedisError, OSError):  # the writer waits for a moment only
            self._connections.exchange([("RPUSH", key, self._hearer.name), ("PEXPIRE", key, SIGNED_MS)])

    def _report(self, error: Exception) -> None:
        if not self._lost and not self._stopped.is_set():
            self._lost = True
            self._emit(WentAway(self._hearer.name, type(error).__name__, RETRY_S))


def _channel(connections: ThreadConnections) -> str:
    """Return the channel of one numbered database: unlike keys, channels are shared by all of a server's."""
    return f"shop:1:invalidated:{connections.database}"


def _fills(connections: ThreadConnections) -> str:
    """Return the channel of what was filled, apart: it says more, and matters less."""
    return f"shop:1:filled:{connections.database}"


def _refused(connections: ThreadConnections) -> str:
    """Return the channel of what was invalidated in vain: readers of the server still see what was before."""
    return f"shop:1:refused:{connections.database}"


def _tickets(connections: ThreadConnections) -> str:
    """Return the channel of tickets that every listener signs."""
    return f"shop:1:heard:{connections.database}"
