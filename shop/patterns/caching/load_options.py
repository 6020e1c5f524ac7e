"""How the outcomes of loads are handled: not-found errors, failures, and the backoff after a failure. No I/O here.

Switches: ``cache.negative``, ``cache.jitter``, ``cache.stale_if_error``.
Source: RFC 5861 (stale-if-error); RFC 2308 (negative answers have a short life of their own).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from shop.clock import Clock
from shop.patterns.caching.entry import JITTER_SHARE, Lifetime, no_jitter
from shop.threads import reset_after_fork

BACKOFF_S = 2.0
"""Seconds between two attempts to load one key in one process while a stale value is served."""
BACKOFF_KEYS = 1024
"""Keys remembered, at most; the oldest is forgotten, and tried once more than necessary."""
_KIND_MARK = "\x00"
"""Around the number of the exception class in a negative entry; an entry of the first class has no number."""


class LoadFailed(RuntimeError):
    """The load that this process waited for has failed in another process."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How the outcomes of loads are handled.

    Args:
        lifetime: from the seconds of a policy to the seconds of an entry.
        not_found: the exceptions by which a loader says that the thing does not exist (any more, or here); each takes
            one text. Subclasses do not count. ``None``: not-found is not cached.
        is_expected_error: returns whether an exception is an expected outcome for the caller, and not a failure.
        stale_if_error: whether the last good value is returned when loading fails.
        is_caller_error: returns whether a failure concerns its caller alone, and not others that wait for the load.
        make_load_error: makes the exception for a load that failed in another process.
        max_lifetime_factor: the longest lifetime of an entry, in lifetimes of its policy.
    """

    lifetime: Lifetime = no_jitter
    not_found: type[Exception] | tuple[type[Exception], ...] | None = None
    is_expected_error: Callable[[Exception], bool] = lambda error: False
    stale_if_error: bool = False
    is_caller_error: Callable[[Exception], bool] = lambda error: False
    make_load_error: Callable[[], Exception] = LoadFailed
    max_lifetime_factor: float = 1 + JITTER_SHARE

    def encode_not_found(self, error: Exception) -> str | None:
        """Return the text that is stored for a not-found exception; ``None`` for any other exception."""
        kinds = self._kinds
        if type(error) not in kinds:
            return None
        number = kinds.index(type(error))
        return f"{_KIND_MARK}{number}{_KIND_MARK}{error}" if number else str(error)

    def decode_not_found(self, text: str) -> Exception:
        """Return the exception whose text :meth:`encode_not_found` returned."""
        if not text.startswith(_KIND_MARK):
            return self._kinds[0](text)
        _, number, message = text.split(_KIND_MARK, 2)
        return self._kinds[int(number)](message)

    @property
    def _kinds(self) -> tuple[type[Exception], ...]:
        if self.not_found is None:
            return ()
        return self.not_found if isinstance(self.not_found, tuple) else (self.not_found,)


class FailureBackoff:
    """The keys that are not loaded for a moment, because their last load failed.

    It guards single keys; ``valkey_client.OutageBreaker`` guards a server.

    Args:
        clock: measures the time.
        backoff_s: seconds a key backs off.
        limit: how many keys are remembered.
    """

    def __init__(self, clock: Clock, backoff_s: float = BACKOFF_S, limit: int = BACKOFF_KEYS) -> None:
        self._clock = clock
        self._backoff_s = backoff_s
        self._limit = limit
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._until: OrderedDict[str, float] = OrderedDict()

    def record_failure(self, key: str) -> None:
        """Begin the backoff of a key."""
        with self._lock:
            self._until[key] = self._clock.monotonic() + self._backoff_s
            self._until.move_to_end(key)
            while len(self._until) > self._limit:
                self._until.popitem(last=False)

    def is_backing_off(self, key: str) -> bool:
        """Return whether a key must not be loaded yet; it takes no lock while no key backs off."""
        if not self._until:
            return False
        with self._lock:
            until = self._until.get(key)
            if until is None:
                return False
            if self._clock.monotonic() < until:
                return True
            del self._until[key]
            return False
