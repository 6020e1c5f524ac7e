"""The store's own negative entries in the form of the exercise: its cache with copies in memory, no shared level."""

from collections.abc import Callable
from datetime import UTC, datetime

from shop.patterns.caching import NEGATIVE, Cache, DoNotCache, LoadOptions, LocalLevel, NoProtection, NullLevel

MEMORY_BYTES = 64 * 1024 * 1024
"""More than all entries of a check: the number of entries is the limit here."""


class CallableClock:
    """A clock that asks a function for the time.

    Args:
        seconds: returns the time in seconds.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.monotonic = seconds

    def now(self) -> datetime:
        """Return that time as unix time."""
        return datetime.fromtimestamp(self.monotonic(), UTC)


class StoreNegativeCache:
    """The store's cache, of which only negative entries are used.

    Args:
        not_found: the exception that says that a thing does not exist.
        clock: returns seconds.
        ttl_s: how long an absence is remembered, in seconds.
        limit: how many names are remembered at most.
    """

    def __init__(self, not_found: type[Exception], clock: Callable[[], float], ttl_s: float, limit: int) -> None:
        adapted = CallableClock(clock)
        local = LocalLevel(MEMORY_BYTES, adapted, negatives_limit=limit)
        local.set_connected(connected=True)
        options = LoadOptions(lifetime=lambda policy_s: ttl_s, not_found=not_found)
        self._cache = Cache(NullLevel(), adapted, local=local, options=options, strategy=NoProtection)

    def get(self, name: str, load: Callable[[], bytes]) -> bytes:
        """Look a name up."""
        return self._cache.get_or_load(name, NEGATIVE, (name,), lambda: DoNotCache(load()))

    def created(self, name: str) -> None:
        """Invalidate a name."""
        self._cache.invalidate((name,))
