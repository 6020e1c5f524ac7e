"""Surrogate keys: an index in Valkey from a tag to the edge's cache keys whose responses carry the tag.

Problem: the edge knows URLs, and a change knows tags. The URLs of a tag cannot be computed, because filters, sort
orders and page numbers make too many of them.
Method: the application adds the cache key of each cacheable response to the set of each of its tags, before it sends
the response. A set is a sorted set; the score of a key is the time after which no edge can have its response, so
expired keys are removed. A purge only reads the sets: any number of edges, each with its own cache, use the same index.
Valkey may lose data: it is flushed, or it evicts a set. A purge that finds no keys then looks like one without any key.
So the index also has a list of all tags that have a set, and a random generation number. If the generation is missing
or has changed, the whole index was lost; if a tag in the list has no set, that set was lost. In both cases the content
of the edge's cache is unknown.
Source: Fastly's documentation, "Surrogate-Key"; Warehouse, which purges its CDN the same way.
"""

import secrets
from collections.abc import Iterable
from typing import NoReturn

from shop.clock import Clock
from shop.patterns.caching.valkey_client import CacheUnavailable, Command, ValkeyClient

PREFIX = "shop:1:edge:"
INDEX = "shop:1:edge-index"
"""The list of tags, a sorted set: the score of a tag is when its last key expires; the empty name has the
generation."""
GENERATIONS = range(1 << 52, 1 << 53)
"""Whole numbers that a score represents exactly, and larger than any time."""
MISSING_SET_MARGIN_S = 60
"""A missing set counts as lost only if it should have lived for more than these seconds: two clocks may differ."""
STALE_S = 15 * 60
"""Seconds that a key stays longer than its response is fresh: an edge serves stale responses during a refresh, and in
an outage for ten minutes at most (``OUTAGE_S`` in ``entry``)."""


class IndexLost(CacheUnavailable):
    """Keys of the index were lost: the cache of an edge may have responses that no tag leads to."""


class SurrogateKeyIndex:
    """The index from tags to cache keys.

    Args:
        url: the address of the cache. Invalidations are broadcast over the same server, so a key that can be registered
            can be purged as well.
        timeout_ms: milliseconds that one connect, write or read may take.
        clock: measures the lifetimes.
    """

    name = "edge-registry"

    def __init__(self, url: str, timeout_ms: int, clock: Clock) -> None:

        def raise_loss(keys: list[str]) -> NoReturn:
            """Raise after a key held a value of another type: the client has deleted the key, so its set is lost."""
            raise IndexLost(self.name)

        self._client = ValkeyClient(url, timeout_ms, clock, self.name, on_wrong_type=raise_loss)
        self._clock = clock
        self._generation: int | None = None
        """The generation of the index that this process has read last."""

    def register(self, key: str, tags: Iterable[str], lifetime_s: int) -> None:
        """Add a cache key to the sets of its tags. Call it before the response is sent: then the edge can cache it.

        Args:
            key: the edge's cache key of the response.
            tags: what the response is made from.
            lifetime_s: seconds that the response is fresh.

        Raises:
            CacheUnavailable: the key is not registered, so an invalidation would not purge the response.
        """
        now = int(self._clock.now().timestamp())
        expires_at = now + lifetime_s + STALE_S
        tags = tuple(tags)
        commands: list[Command] = []
        for tag in tags:
            set_key = f"{PREFIX}{tag}"
            commands += [
                ("ZREMRANGEBYSCORE", set_key, "-inf", now),
                ("ZADD", set_key, "GT", expires_at, key),
                ("EXPIRE", set_key, lifetime_s + STALE_S, "NX"),
                ("EXPIRE", set_key, lifetime_s + STALE_S, "GT"),
            ]
        ends = [word for tag in tags for word in (expires_at, tag)]
        # Last: each tag in the list has a set.
        self._client.execute([*commands, ("ZREMRANGEBYSCORE", INDEX, "-inf", now), ("ZADD", INDEX, "GT", *ends)])

    def keys(self, tags: Iterable[str]) -> set[str]:
        """Return the cache keys of all responses that carry one of the tags.

        Raises:
            IndexLost: some of the keys were lost.
            CacheUnavailable: the index cannot be read.
        """
        return set().union(*self.keys_by_tag(tags).values())

    def keys_by_tag(self, tags: Iterable[str]) -> dict[str, set[str]]:
        """Return the cache keys of all responses that carry each of the tags.

        Raises:
            IndexLost: some of the keys were lost.
            CacheUnavailable: the index cannot be read.
        """
        tags = tuple(tags)
        reading: list[Command] = [("ZSCORE", INDEX, tag) for tag in tags]  # before the sets: see register
        replies = self._client.execute(
            [("ZSCORE", INDEX, ""), *reading, *(("ZRANGE", f"{PREFIX}{tag}", 0, -1) for tag in tags)]
        )
        self._compare_generation(replies[0])
        ends, sets = replies[1 : 1 + len(tags)], replies[1 + len(tags) :]
        soon = self._clock.now().timestamp() + MISSING_SET_MARGIN_S
        if any(end is not None and float(end) > soon and not keys for end, keys in zip(ends, sets, strict=True)):
            # A new generation tells the purgers of the other edges of the loss as well.
            self._generation = secrets.choice(GENERATIONS)
            self._client.execute([("DEL", INDEX), ("ZADD", INDEX, self._generation, "")])
            raise IndexLost(self.name)
        return {tag: {key.decode() for key in keys} for tag, keys in zip(tags, sets, strict=True)}

    def check_generation(self) -> None:
        """Check that the index is still there.

        Raises:
            IndexLost: the index was lost; raised once for each loss.
            CacheUnavailable: the index cannot be read.
        """
        self._compare_generation(self._client.execute([("ZSCORE", INDEX, "")])[0])

    def _compare_generation(self, score: bytes | None) -> None:
        """Compare the index's generation with the last one; draw a new one if the index has none.

        Raises:
            IndexLost: the generation has changed.
        """
        before = self._generation
        if score is None:
            drawn = secrets.choice(GENERATIONS)
            score = self._client.execute([("ZADD", INDEX, "NX", drawn, ""), ("ZSCORE", INDEX, "")])[1]
        self._generation = int(float(score or 0))
        if before is not None and before != self._generation:
            raise IndexLost(self.name)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
