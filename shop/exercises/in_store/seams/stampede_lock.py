"""Exercise ``stampede-lock``: which reader loads when many miss at once."""

import time
from collections.abc import Callable
from typing import Any

from redis import Redis

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten
from shop.patterns.caching.entry import CacheEntry, EntryFreshness
from shop.patterns.caching.levels import ReadResult
from shop.patterns.caching.loader import CacheLoader, CacheRequest, LoadResult
from shop.patterns.caching.lock import TTL_S
from shop.patterns.caching.lock_strategy import MAX_WAIT_S
from shop.patterns.caching.stampede import StampedeStrategy

PREFIX = "exercise:10:"
SOCKET_TIMEOUT_S = 1.0
StrategyMaker = Callable[[CacheLoader], StampedeStrategy]


class AttemptLock:
    """The attempt in the form of a :class:`StampedeStrategy`. It does not refresh before the expiry.

    Args:
        attempt: the reader's code.
        load_once: what it returned.
        loader: loads and stores.
        own: the store's own strategy.
    """

    def __init__(self, attempt: LoadedAttempt, load_once: Any, loader: CacheLoader, own: StampedeStrategy) -> None:
        self._attempt = attempt
        self._load_once = load_once
        self._loader = loader
        self._own = own
        self.load_uncached = own.load_uncached

    def refresh_at(self, request: CacheRequest, entry: CacheEntry) -> float:
        """Return its expiry."""
        return entry.fresh_until

    def refresh_early(self, request: CacheRequest, entry: CacheEntry) -> LoadResult | None:
        """Serve it as it is."""
        return None

    def fill(self, request: CacheRequest, reading: ReadResult, freshness: EntryFreshness) -> LoadResult:
        """Let one reader load."""
        results: list[LoadResult] = []

        def read() -> bytes | None:
            present = self._loader.check_freshness(request, self._loader.read(request))
            if present.state != "fresh" or present.entry is None:
                return None
            results.append(LoadResult(present.entry, collapsed=True))
            return present.entry.value

        def load() -> bytes:
            versions = self._loader.tag_versions(request, self._loader.read(request))
            results.append(self._loader.load_and_store(request, versions, freshness.load_reason, freshness.entry))
            return results[-1].entry.value

        def find_fault(value: Any) -> str:
            is_known = any(result.entry.value == value for result in results)
            return "" if is_known else f"{shorten(value)}, which neither read() nor load() has returned."

        wrap = self._attempt.wrap_store
        name = PREFIX + request.key
        value = self._attempt.call(
            f"load_once({name!r}, read, load)",
            self._load_once,
            (name, wrap(read), wrap(load)),
            lambda: None,
            find_fault,
        )
        if value is None:
            return results[-1] if results else self._own.fill(request, reading, freshness)
        return next(result for result in reversed(results) if result.entry.value == value)


def adapt(attempt: LoadedAttempt, default: StrategyMaker, **tools: Any) -> StrategyMaker:
    """Return a strategy that lets the attempt decide who loads."""
    url = tools["cache_url"]
    if url is None:
        return default

    def build() -> Any:
        client = Redis.from_url(url, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=SOCKET_TIMEOUT_S)
        arguments = (client, TTL_S, MAX_WAIT_S, time.monotonic, attempt.wrap_store(time.sleep))
        text = f"{attempt.place.slot.defines}(valkey, {TTL_S:g}, {MAX_WAIT_S:g}, clock, sleep)"
        return attempt.make(text, arguments, lambda: None)

    load_once = attempt.once("load_once", build)
    if load_once is None:
        return default
    return lambda loader: AttemptLock(attempt, load_once, loader, default(loader))
