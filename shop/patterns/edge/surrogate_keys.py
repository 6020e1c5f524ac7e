"""Which of the edge's keys were made from what: a sorted set a tag, in Valkey.

Problem: an edge knows addresses, a change knows tags, and nobody can tell from a tag which addresses were answered
with it: filters, orders and pages make too many.
Method: whoever answers something that the edge may keep writes its key down under each of its tags first. A member's
score is the moment it may be forgotten, so a set never holds more than what can be in a store. Nothing is taken out by
reading: any number of edges, each with a store of its own, read the same sets.
A cache forgets: it is flushed, or evicts a set, and a purge that finds no keys looks like one that had none to find. So
an index names every tag that has a set, and a number that was drawn when the index was made. Another number, or none,
says that all was lost; a tag in the index without a set, that one was. Either way nothing is known of what is kept.
Source: Fastly's documentation, "Surrogate-Key"; Warehouse, which purges its CDN the same way.
"""

import secrets
from collections.abc import Iterable
from typing import NoReturn

from shop.clock import Clock
from shop.patterns.caching.valkey_client import CacheUnavailable, Command, ValkeyClient

PREFIX = "shop:1:edge:"
INDEX = "shop:1:edge-index"
"""Tags, each scored by when its last key may be forgotten, and the generation under an empty name."""
GENERATIONS = range(1 << 52, 1 << 53)
"""Whole numbers that a score holds exactly, and later than any time."""
MISSING_SET_MARGIN_S = 60
"""Seconds a set must still have had to live when it is missing: two clocks may differ by less."""
STALE_S = 15 * 60
"""Remembered for longer than it is fresh: an edge serves what is stale while it fetches anew, and where it cannot, for
ten minutes at most (``OUTAGE_S`` in ``policy``)."""


class IndexLost(CacheUnavailable):
    """Keys that were written down are gone: what is kept at an edge may be found under no tag."""


class SurrogateKeyIndex:
    """Keys by tag.

    Args:
        url: where the cache is. Broadcasts of invalidations go over the same server: whoever can write a key down can
            also be told of its end.
        timeout_ms: what one connect, write or read may take.
        clock: tells when a key may be forgotten.
    """

    name = "edge-registry"

    def __init__(self, url: str, timeout_ms: int, clock: Clock) -> None:
        self._client = ValkeyClient(url, timeout_ms, clock, self.name, on_wrong_type=self._report_loss)
        self._clock = clock
        self._generation: int | None = None
        """Of the index, as this process last saw it."""

    def register(self, key: str, tags: Iterable[str], lifetime_s: int) -> None:
        """Write down what a key is made from. Do it before the answer is sent: afterwards it can already be kept.

        Raises:
            CacheUnavailable: it could not be written down; whoever keeps the answer will not be told of its end.
        """
        now = int(self._clock.now().timestamp())
        forgotten = now + lifetime_s + STALE_S
        named = tuple(tags)
        commands: list[Command] = []
        for tag in named:
            name = f"{PREFIX}{tag}"
            commands += [
                ("ZREMRANGEBYSCORE", name, "-inf", now),
                ("ZADD", name, "GT", forgotten, key),
                ("EXPIRE", name, lifetime_s + STALE_S, "NX"),
                ("EXPIRE", name, lifetime_s + STALE_S, "GT"),
            ]
        ends = [word for tag in named for word in (forgotten, tag)]
        # Behind the sets: what is named in the index has one.
        self._client.execute([*commands, ("ZREMRANGEBYSCORE", INDEX, "-inf", now), ("ZADD", INDEX, "GT", *ends)])

    def keys(self, tags: Iterable[str]) -> set[str]:
        """Return the keys of everything that was made from one of the tags.

        Raises:
            IndexLost: they are not all there any more.
            CacheUnavailable: they could not be read.
        """
        return set().union(*self.keys_by_tag(tags).values())

    def keys_by_tag(self, tags: Iterable[str]) -> dict[str, set[str]]:
        """Return the keys of everything that was made from each of the tags.

        Raises:
            IndexLost: they are not all there any more.
            CacheUnavailable: they could not be read.
        """
        asked = tuple(tags)
        looks: list[Command] = [("ZSCORE", INDEX, tag) for tag in asked]  # before the sets: see register
        answers = self._client.execute(
            [("ZSCORE", INDEX, ""), *looks, *(("ZRANGE", f"{PREFIX}{tag}", 0, -1) for tag in asked)]
        )
        self._compare(answers[0])
        ends, sets = answers[1 : 1 + len(asked)], answers[1 + len(asked) :]
        then = self._clock.now().timestamp() + MISSING_SET_MARGIN_S
        if any(end is not None and float(end) > then and not keys for end, keys in zip(ends, sets, strict=True)):
            self._begin_anew()
        return {tag: {key.decode() for key in keys} for tag, keys in zip(asked, sets, strict=True)}

    def check_generation(self) -> None:
        """Look whether what was written down is still there, as a whole.

        Raises:
            IndexLost: it is not; told once.
            CacheUnavailable: it could not be looked at.
        """
        self._compare(self._client.execute([("ZSCORE", INDEX, "")])[0])

    def _compare(self, score: bytes | None) -> None:
        """Remember the index's generation, drawing one where there is none.

        Raises:
            IndexLost: it was another before.
        """
        before = self._generation
        if score is None:
            drawn = secrets.choice(GENERATIONS)
            score = self._client.execute([("ZADD", INDEX, "NX", drawn, ""), ("ZSCORE", INDEX, "")])[1]
        self._generation = int(float(score or 0))
        if before is not None and before != self._generation:
            raise IndexLost(self.name)

    def _begin_anew(self) -> NoReturn:
        """Draw another generation, so that whoever purges another edge hears of the loss, too."""
        drawn = secrets.choice(GENERATIONS)
        self._client.execute([("DEL", INDEX), ("ZADD", INDEX, drawn, "")])
        self._generation = drawn
        raise IndexLost(self.name)

    def close(self) -> None:
        """Give back every connection."""
        self._client.close()

    def _report_loss(self, keys: list[str]) -> NoReturn:
        """Report a set that held a value of another type: the client has deleted the key, so the set is lost."""
        raise IndexLost(self.name)
