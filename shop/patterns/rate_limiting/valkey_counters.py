"""Counters of rate limits in Valkey: a storage for the library ``limits``, over the cache's own client.

Problem: the library's storage borrows a connection from redis-py's pool for each command, and the library asks three
questions about a request: add one, how many are there, how long is the window. That cost a cheap write a tenth of its
time.
Method: ``incr`` runs the library's script and reads the end of the window in one round trip; the calling thread's next
questions about the same key are answered from that reply. :class:`ValkeyClient` brings the time limits and the breaker.
Source: the documentation of ``limits``, "Custom storages".
"""

import threading
import time

from limits.storage import RedisStorage, Storage

from shop.patterns.caching.valkey_client import CacheUnavailable, ValkeyClient

KEY_PREFIX = "rate:"


class ValkeyCounters(Storage):
    """Counters that end with their window.

    Args:
        client: of the cache Valkey.
    """

    STORAGE_SCHEME = None

    def __init__(self, client: ValkeyClient) -> None:
        super().__init__()
        self._client = client
        self._last = threading.local()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what a failed call raises."""
        return CacheUnavailable

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter, and return it; its first call opens the window.

        Args:
            key: of the counter.
            expiry: seconds of the window.
            amount: to be added.

        Raises:
            CacheUnavailable: Valkey did not answer in time, or was left alone.
        """
        stored = KEY_PREFIX + key
        script = ("EVAL", RedisStorage.SCRIPT_INCR_EXPIRE, 1, stored, expiry, amount)
        count, left_ms = self._client.execute([script, ("PTTL", stored)])
        self._last.state = key, int(count or 0), time.time() + max(0, left_ms) / 1000
        return int(count or 0)

    def get(self, key: str) -> int:
        """Return a counter.

        Raises:
            CacheUnavailable: as :meth:`incr`.
        """
        return self._state(key)[0]

    def get_expiry(self, key: str) -> float:
        """Return the end of a counter's window, in seconds since the epoch.

        Raises:
            CacheUnavailable: as :meth:`incr`.
        """
        return self._state(key)[1]

    def check(self) -> bool:
        """Return whether Valkey answers."""
        try:
            self._client.execute([("PING",)])
        except CacheUnavailable:
            return False
        return True

    def clear(self, key: str) -> None:
        """End a counter's window.

        Raises:
            CacheUnavailable: as :meth:`incr`.
        """
        self._last.state = None
        self._client.execute([("DEL", KEY_PREFIX + key)])

    def reset(self) -> int | None:
        """Do nothing: the counters end by themselves, and other keys of the server are not ours to scan."""
        return None

    def _state(self, key: str) -> tuple[int, float]:
        state: tuple[str, int, float] | None = getattr(self._last, "state", None)
        if state is not None and state[0] == key:
            return state[1:]
        count, left_ms = self._client.execute([("GET", KEY_PREFIX + key), ("PTTL", KEY_PREFIX + key)])
        return int(count or 0), time.time() + max(0, left_ms) / 1000
