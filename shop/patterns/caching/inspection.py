"""Inspect the shared level from outside: the entry under a key, and the memory limit of the server.

The limit can be changed while the server runs, so that an experiment can watch the evictions.
"""

from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop.patterns.caching.entry import check_freshness, decode, stored_tags
from shop.patterns.caching.levels import CacheLevel
from shop.patterns.caching.valkey_client import CacheUnavailable

BYTES_A_MB = 1024 * 1024
TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class EntryInspection:
    """A stored entry. Times are seconds from now."""

    key: str
    state: str
    """``fresh``, ``expired`` (served only during a load or an outage), ``invalidated``, ``unreadable`` or
    ``missing``."""
    fresh_s: float = 0.0
    kept_s: float = 0.0
    load_s: float = 0.0
    bytes: int = 0
    negative: bool = False
    tags: tuple[str, ...] = ()
    ended_by: tuple[str, ...] = ()
    """The tags that were invalidated since it was loaded."""


def inspect(level: CacheLevel, key: str, now: float) -> EntryInspection:
    """Return the entry under a key.

    Args:
        level: holds the entry.
        key: as features name it, without the level's own prefix.
        now: unix time in seconds.

    Raises:
        CacheUnavailable: the level does not answer.
    """
    stored = level.read(key, ()).stored
    if stored is None:
        return EntryInspection(key, "missing")
    entry = decode(stored)
    if entry is None:
        return EntryInspection(key, "unreadable", bytes=len(stored))
    tags = stored_tags(stored)
    reading = level.read(key, tags)
    pairs = zip(tags, entry.versions, reading.versions, strict=False)
    return EntryInspection(
        key=key,
        state=check_freshness(reading, now).state,
        fresh_s=round(entry.fresh_until - now, 1),
        kept_s=round(entry.grace_until - now, 1),
        load_s=entry.load_s,
        bytes=len(stored),
        negative=entry.negative,
        tags=tags,
        ended_by=tuple(tag for tag, then, by_now in pairs if then != by_now),
    )


class MaxMemory:
    """The memory limit of one Valkey.

    Args:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def limit_mb(self) -> float:
        """Return the limit in MB; 0 for no limit.

        Raises:
            CacheUnavailable: it does not answer.
        """
        with self._client() as client:
            try:
                return int(client.config_get("maxmemory")["maxmemory"]) / BYTES_A_MB
            except redis.RedisError as error:
                raise CacheUnavailable("memory") from error

    def evicted_keys(self) -> int:
        """Return the number of entries evicted since the server started.

        Raises:
            CacheUnavailable: it does not answer.
        """
        with self._client() as client:
            try:
                return int(client.info("stats")["evicted_keys"])
            except redis.RedisError as error:
                raise CacheUnavailable("memory") from error

    def set_limit_mb(self, limit: float) -> None:
        """Change the limit at once; the server evicts entries until the rest fits.

        Raises:
            CacheUnavailable: it does not answer.
        """
        with self._client() as client:
            try:
                client.config_set("maxmemory", int(limit * BYTES_A_MB))
            except redis.RedisError as error:
                raise CacheUnavailable("memory") from error

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(
            self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
