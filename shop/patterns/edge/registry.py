"""Which of the edge's keys were made from what: a sorted set a tag, in Valkey.

Problem: an edge knows addresses, a change knows tags, and nobody can tell from a tag which addresses were answered
with it: filters, orders and pages make too many.
Method: whoever answers something that the edge may keep writes its key down under each of its tags first. A member's
score is the moment it may be forgotten, so a set never holds more than what can be in a store. Nothing is taken out by
reading: any number of edges, each with a store of its own, read the same sets.
Source: Fastly's documentation, "Surrogate-Key"; Warehouse, which purges its CDN the same way.
"""

from collections.abc import Iterable

from redis.exceptions import RedisError

from shop.clock import Clock
from shop.patterns.caching.connections import Command, Connections
from shop.patterns.caching.levels import Away
from shop.patterns.caching.pause import Pause

PREFIX = "shop:1:edge:"
PAUSE_S = 1.0
"""Seconds a registry that failed is left alone: it costs one timeout a second and process, not one an answer."""
STALE_S = 15 * 60
"""Remembered for longer than it is fresh: an edge serves what is stale while it fetches anew, and nginx forgets what
nobody asked for in ten minutes."""


class Registry:
    """Keys by tag.

    Args:
        url: where the cache is. Broadcasts of invalidations go over the same server: whoever can write a key down can
            also be told of its end.
        timeout_ms: what one connect, write or read may take.
        clock: tells when a key may be forgotten.
    """

    name = "edge-registry"

    def __init__(self, url: str, timeout_ms: int, clock: Clock) -> None:
        self._connections = Connections(url, timeout_ms / 1000)
        self._pause = Pause(clock, PAUSE_S)
        self._clock = clock

    def register(self, key: str, tags: Iterable[str], lifetime_s: int) -> None:
        """Write down what a key is made from. Do it before the answer is sent: afterwards it can already be kept.

        Raises:
            Away: it could not be written down; whoever keeps the answer will not be told of its end.
        """
        now = self._clock.now().timestamp()
        commands: list[Command] = []
        for tag in tags:
            name = f"{PREFIX}{tag}"
            commands += [
                ("ZREMRANGEBYSCORE", name, "-inf", int(now)),
                ("ZADD", name, "GT", int(now) + lifetime_s + STALE_S, key),
                ("EXPIRE", name, lifetime_s + STALE_S, "NX"),
                ("EXPIRE", name, lifetime_s + STALE_S, "GT"),
            ]
        self._ask(commands)

    def keys(self, tags: Iterable[str]) -> set[str]:
        """Return the keys of everything that was made from one of the tags.

        Raises:
            Away: they could not be read.
        """
        return set().union(*self.by_tag(tags).values())

    def by_tag(self, tags: Iterable[str]) -> dict[str, set[str]]:
        """Return the keys of everything that was made from each of the tags.

        Raises:
            Away: they could not be read.
        """
        asked = tuple(tags)
        answers = self._ask([("ZRANGE", f"{PREFIX}{tag}", 0, -1) for tag in asked])
        return {tag: {key.decode() for key in members} for tag, members in zip(asked, answers, strict=True)}

    def close(self) -> None:
        """Give back every connection."""
        self._connections.close()

    def _ask(self, commands: list[Command]) -> list[list[bytes]]:
        if not commands:
            return []
        if self._pause.running and not self._pause.admits():
            raise Away(self.name)
        try:
            answers = self._connections.exchange(commands)
        except (RedisError, OSError) as error:
            self._pause.failed()
            raise Away(self.name) from error
        if self._pause.running:
            self._pause.succeeded()
        return answers
