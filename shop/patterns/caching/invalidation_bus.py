"""Broadcast to every process, over Valkey's publish and subscribe: which tags were invalidated, which loads ended.

Problem: each process holds copies in its own memory, and Valkey cannot delete them. And an editor who saves a price
and looks at the page at once must see the new price, even if another process serves the page.
Method: an invalidation sets the new versions and then publishes its tags, on the same connection. So a process that
receives the message and then reads sees the new versions. Valkey tells a subscriber nothing about the messages it
missed. So the listener reports when its connection begins and ends, and sends a ping when the channel is silent for
long.
:class:`InvalidationBarrier` lets a writer wait until every process has received the invalidation. After the
invalidation, the writer publishes a ticket. Messages arrive in order, so a listener that reads the ticket has handled
the invalidation; it then signs the ticket. PUBLISH returns the number of listeners; the barrier waits for that many
signatures, but only for a moment: a hanging process must not hold up an editor. Edits and reviews wait; a checkout
does not.
Source: Valkey's documentation of SUBSCRIBE, PUBLISH (messages are delivered at most once, in order) and BLMPOP; Terry
et al., "Session Guarantees for Weakly Consistent Replicated Data", PDIS 1994 (read your writes).
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, Protocol

from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shop import threads
from shop.patterns.caching.events import Emit, LevelDown, LevelUp, ignore
from shop.patterns.caching.lock import FillWaiters
from shop.patterns.caching.valkey_client import ThreadConnections

HEARTBEAT_S = 1.0
"""Seconds of silence before a ping; without a reply for as long again, the connection counts as lost."""
SIGNATURES_TTL_MS = 2_000
"""Milliseconds that signatures live. No writer waits for them that long."""
RETRY_S = 0.5
"""Seconds between two attempts to connect."""
BARRIER_S = 0.5
"""Seconds a writer waits at most. A listener that gets processor time handles an invalidation within milliseconds."""

_log = logging.getLogger(__name__)


class BusChannels(NamedTuple):
    """The channels of one numbered database: Valkey shares channels, unlike keys, among all its databases."""

    invalidated: str
    """Tags that have new versions; a JSON list."""
    filled: str
    """Names of loads that ended."""
    refused: str
    """Tags whose new versions Valkey refused to write, so that it still serves the old entries; a JSON list."""
    tickets: str
    """Tickets to be signed; see :class:`InvalidationBarrier`."""

    @classmethod
    def of_database(cls, number: int) -> "BusChannels":
        """Name the channels of a database."""
        return cls(*(f"shop:1:{name}:{number}" for name in ("invalidated", "filled", "refused", "heard")))


class InvalidationSubscriber(Protocol):
    """Receives the invalidations from the listener."""

    @property
    def name(self) -> str:
        """Return its name, for events."""

    def set_connected(self, *, connected: bool) -> None:
        """Note whether broadcasts arrive from now on. Called when that changes, and at the start."""

    def invalidate(self, tags: Sequence[str]) -> None:
        """Handle an invalidation."""


class PendingDelivery(Protocol):
    """Delivers later the invalidations that the server refused to write (see ``shared``)."""

    def add_refused(self, tags: Sequence[str]) -> None:
        """Note an invalidation that the server refused, from any process."""

    def recheck_writes(self) -> None:
        """Note that messages about refusals may have been missed: broadcasts arrive only from now on."""

    def deliver_pending(self) -> None:
        """Try to deliver. Called at least once a second while broadcasts arrive."""


class InvalidationListener:
    """One thread that receives the broadcasts for this process.

    Args:
        url: the address of the shared level.
        subscriber: receives the invalidations.
        emit: receives the loss and the return of the connection.
        fill_waiters: receives the ends of loads; by default nothing waits for them.
        pending: receives the refused invalidations, if given.
    """

    def __init__(
        self,
        url: str,
        subscriber: InvalidationSubscriber,
        emit: Emit = ignore,
        fill_waiters: FillWaiters | None = None,
        pending: PendingDelivery | None = None,
    ) -> None:
        self.subscriber = subscriber
        self._connections = ThreadConnections(url, HEARTBEAT_S)
        self._channels = BusChannels.of_database(self._connections.database)
        self._fill_waiters = fill_waiters or FillWaiters()
        self._pending = pending
        self._emit = emit
        self._stopped = threading.Event()
        self._tried = threading.Event()
        self._lost = False
        self._reported: bool | None = None
        """The connection state that all subscribers know; ``None`` while they may differ."""
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
        """Return the fault of the thread; empty while it lives, connected or not."""
        return threads.thread_fault(self._thread, self._stopped)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - after any error, broadcasts no longer arrive
                if not self._lost and not self._stopped.is_set():
                    self._lost = True
                    self._guarded(partial(self._emit, LevelDown(self.subscriber.name, type(error).__name__, RETRY_S)))
            self._guarded(partial(self._set_connected, connected=False))
            self._tried.set()
            self._stopped.wait(RETRY_S)

    def _guarded(self, notify: Callable[[], None]) -> None:
        """Notify a subscriber; an error of the subscriber must not end this thread."""
        try:
            notify()
        except Exception:  # noqa: BLE001 - any error is logged, and the thread connects again
            _log.exception("subscriber_failed", extra={"subscriber": self.subscriber.name})

    def _listen(self) -> None:
        connection: Any = self._connections.open()
        try:
            connection.connect()
            connection.send_command("SUBSCRIBE", *self._channels, check_health=False)
            for _ in self._channels:
                connection.read_response()
            if self._pending is not None:
                self._pending.recheck_writes()
            self._set_connected(connected=True)
            self._tried.set()
            if self._lost:
                self._lost = False
                self._emit(LevelUp(self.subscriber.name))
            while not self._stopped.is_set():
                self._receive(connection)
                if self._pending is not None:
                    self._pending.deliver_pending()
        finally:
            connection.disconnect()

    def _set_connected(self, *, connected: bool) -> None:
        """Report the connection state if it has changed: at each report, subscribers drop all their copies."""
        if self._reported is not connected:
            self._reported = None  # until both have noted it
            self._fill_waiters.set_connected(connected=connected)
            self.subscriber.set_connected(connected=connected)
            self._reported = connected

    def _receive(self, connection: Any) -> None:
        """Wait for one message and handle it."""
        try:
            kind, channel, *payload = connection.read_response(timeout=HEARTBEAT_S, disconnect_on_error=False)
        except RedisTimeoutError:
            connection.send_command("PING", check_health=False)
            kind, channel, *payload = connection.read_response()  # a pong, or a message that came before it
        if kind != b"message":
            return
        channel_name, message = channel.decode(), payload[0].decode()
        if channel_name == self._channels.filled:
            self._fill_waiters.notify(message)
        elif channel_name == self._channels.tickets:
            key = _signatures_key(message)
            with suppress(RedisError, OSError):  # the writer waits only for a moment
                signing = [("RPUSH", key, self.subscriber.name), ("PEXPIRE", key, SIGNATURES_TTL_MS)]
                self._connections.execute_pipeline(signing)
        else:
            tags = json.loads(message)
            if channel_name == self._channels.refused and self._pending is not None:
                self._pending.add_refused(tags)  # done first, so every later read comes after the delivery
            self.subscriber.invalidate(tags)


class InvalidationBarrier:
    """Lets a writer wait until every listener has handled its invalidation.

    Args:
        url: the address of the shared level.
        max_wait_s: seconds a writer waits at most.
    """

    def __init__(self, url: str, max_wait_s: float = BARRIER_S) -> None:
        self._connections = ThreadConnections(url, 2 * max_wait_s)
        self._channels = BusChannels.of_database(self._connections.database)
        self._max_wait_s = max_wait_s

    def wait(self) -> bool:
        """Wait until every listener has handled the invalidations of this thread; return whether all did, in time."""
        missing: Any
        ticket, end = secrets.token_hex(8), time.monotonic() + self._max_wait_s
        try:
            missing = self._connections.execute_pipeline([("PUBLISH", self._channels.tickets, ticket)])[0]
            while isinstance(missing, int) and missing > 0 and (left_s := end - time.monotonic()) > 0:
                taking = ("BLMPOP", f"{left_s:.3f}", 1, _signatures_key(ticket), "LEFT", "COUNT", missing)
                reply = self._connections.execute_pipeline([taking])[0]
                missing = missing - len(reply[1]) if isinstance(reply, list) else None
        except (RedisError, OSError):
            return False  # then no process receives broadcasts, and without broadcasts a process has no copies
        return bool(missing == 0)

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()


def _signatures_key(ticket: str) -> str:
    return f"shop:1:heard:{ticket}"
