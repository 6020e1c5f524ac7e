"""How much a running Valkey may hold: read and changed while it serves, to see what it then has to evict, and has."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop.patterns.caching.levels import CacheUnavailable

BYTES_A_MB = 1024 * 1024
TIMEOUT_S = 2.0


class MaxMemory:
    """The memory limit of one Valkey.

    Args:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def limit_mb(self) -> float:
        """Return the limit in MB; 0 for none.

        Raises:
            CacheUnavailable: it does not answer.
        """
        with self._client() as client:
            try:
                return int(client.config_get("maxmemory")["maxmemory"]) / BYTES_A_MB
            except redis.RedisError as error:
                raise CacheUnavailable("memory") from error

    def evicted_keys(self) -> int:
        """Return how many entries it has evicted since it was started.

        Raises:
            CacheUnavailable: it does not answer.
        """
        with self._client() as client:
            try:
                return int(client.info("stats")["evicted_keys"])
            except redis.RedisError as error:
                raise CacheUnavailable("memory") from error

    def set_limit_mb(self, limit: float) -> None:
        """Change the limit at once; what does not fit any more is evicted.

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
