"""The shared level: Valkey (or Redis), one for all processes and hosts.

Problem: the cache is there to make the store faster; when it is dead or hangs it must not make it slower than it was
without one.
Method: a look-up is one MGET of the entry and its tags. Every wait is bounded. A failure starts a pause in which
nobody asks; at its end one thread tries, and the others keep away until it has succeeded. An invalidation that could
not be delivered is owed: this process sends it in front of its next command. Until then another process may still
serve the old entry, and if this process dies first, until the entry's time-to-live is over: that class is the bound.
Switch: ``cache.shared``. Experiment: ``cache-aside``.
Source: Valkey's documentation of MGET, SET and pipelining; the pause is the simplest circuit breaker (Nygard,
"Release It!", ch. 5).
"""

import itertools
import secrets
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from redis.exceptions import RedisError

from shop.clock import Clock
from shop.patterns.caching.broadcast import publishing
from shop.patterns.caching.connections import Command, Connections
from shop.patterns.caching.events import CameBack, Emit, WentAway, ignore
from shop.patterns.caching.levels import Away, Reading
from shop.patterns.caching.pause import Pause

PREFIX = "shop:1:"
"""In front of every key; the number is the layout of keys and tags, raised when that changes."""
PAUSE_S = 1.0
"""Seconds a level that failed is left alone: a dead cache costs one timeout a second and process, not one a request."""
TAG_TTL_S = 24 * 3600
"""Longer than any policy. A tag that goes, by age or eviction, costs a miss and never revives an entry, because its
next version is a new one."""


class SharedLevel:
    """Entries and tag versions in Valkey.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` address.
        timeout_ms: what one connect, write or read may take.
        clock: measures the pause.
        emit: told when the level goes away and comes back.
        new_version: makes a tag version that was never used before.
    """

    name = "shop-shared"
    enabled = True

    def __init__(
        self,
        url: str,
        timeout_ms: int,
        clock: Clock,
        emit: Emit = ignore,
        new_version: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._connections = Connections(url, timeout_ms / 1000)
        self._pause = Pause(clock, PAUSE_S)
        self._emit = emit
        self._new_version = new_version
        self._lock = threading.Lock()
        self._owed: dict[str, int] = {}
        """Tags whose invalidation was not delivered, each with the ticket of the last attempt."""
        self._tickets = itertools.count(1)

    def read(self, key: str, tags: Sequence[str]) -> Reading:
        """Return the entry and the tags' versions.

        Raises:
            Away: Valkey did not answer in time, or is being left alone.
        """
        stored, *versions = self._ask([("MGET", _entry_key(key), *map(_tag_key, tags))])[0]
        return Reading(stored, tuple([version and version.decode() for version in versions]))

    def claim(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return how the tags stand, giving each that has none a new version.

        Raises:
            Away: Valkey did not answer in time, or is being left alone.
        """
        if not tags:
            return ()
        keys = [_tag_key(tag) for tag in tags]
        makings: list[Command] = [("SET", key, self._new_version(), "EX", TAG_TTL_S, "NX") for key in keys]
        versions = self._ask([*makings, ("MGET", *keys)])[-1]
        # A tag evicted between the two commands gets a version nobody else sees: a miss later, not a fault.
        return tuple([version.decode() if version else self._new_version() for version in versions])

    def write(self, key: str, stored: bytes, ttl_s: int) -> None:
        """Keep an encoded entry for at most ``ttl_s`` seconds.

        Raises:
            Away: Valkey did not answer in time, or is being left alone.
        """
        self._ask([("SET", _entry_key(key), stored, "EX", ttl_s)])

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag a new version, or owe it to Valkey while that is away."""
        try:
            self._ask(self._forgetting(tags))
        except Away:
            with self._lock:
                self._owed.update((tag, next(self._tickets)) for tag in tags)
            return False
        return True

    def close(self) -> None:
        """Give back every connection."""
        self._connections.close()

    def _forgetting(self, tags: Collection[str]) -> list[Command]:
        """Return the commands that give tags a new version, and then tell every process's local level."""
        if not tags:
            return []
        changes: list[Command] = [("SET", _tag_key(tag), self._new_version(), "EX", TAG_TTL_S) for tag in tags]
        return [*changes, publishing(self._connections, list(tags))]

    def _ask(self, commands: list[Command]) -> list[Any]:
        """Send commands in one round trip, what is owed in front of them, and return their answers."""
        if self._pause.running and not self._pause.admits():
            raise Away(self.name)
        owed = self._copy_owed() if self._owed else {}
        making_up = self._forgetting(owed)
        try:
            answers = self._connections.exchange([*making_up, *commands] if owed else commands)
        except (RedisError, OSError) as error:
            if self._pause.failed():
                self._emit(WentAway(self.name, type(error).__name__, PAUSE_S))
            raise Away(self.name) from error
        self._settle(owed)
        if self._pause.running and self._pause.succeeded():
            self._emit(CameBack(self.name))
        return answers[len(making_up) :]

    def _copy_owed(self) -> dict[str, int]:
        with self._lock:
            return dict(self._owed)

    def _settle(self, delivered: dict[str, int]) -> None:
        for tag, ticket in delivered.items():
            with self._lock:
                if self._owed.get(tag) == ticket:  # else it was owed anew while this was under way
                    del self._owed[tag]


def _entry_key(key: str) -> str:
    return f"{PREFIX}e:{key}"


def _tag_key(tag: str) -> str:
    return f"{PREFIX}t:{tag}"
