"""Exercise ``cache-aside``: looks up a value in Valkey, and loads it if it is not there.

The attempt knows no tags. So the versions of the tags are a part of the key: after an invalidation the key is another
one, and no old value is found. Local copies are not used, and nothing protects from a stampede.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.in_store.packed_values import expiry_of, pack, packed_fault, unpack
from shop.patterns.caching import Cache, CacheLevel, CachePolicy, CacheRequest, CacheUnavailable
from shop.patterns.caching.entry import Lifetime
from shop.patterns.caching.events import Emit, LoadFinished, LookupFinished
from shop.patterns.caching.levels import ANY_TAG
from shop.patterns.caching.loader import Load

PREFIX = "exercise:03:"
DIGEST_CHARS = 16


class EntryStore:
    """The cache that the attempt uses.

    Args:
        level: Valkey.
    """

    def __init__(self, level: CacheLevel) -> None:
        self._level = level

    def get(self, key: str) -> bytes | None:
        """Return the value of a key.

        Raises:
            ConnectionError: Valkey does not answer.
        """
        try:
            return self._level.read(PREFIX + key, ()).stored
        except CacheUnavailable:
            raise ConnectionError("the cache does not answer") from None

    def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store a value.

        Raises:
            ConnectionError: Valkey does not answer.
        """
        try:
            self._level.write(PREFIX + key, value, ttl_s)
        except CacheUnavailable:
            raise ConnectionError("the cache does not answer") from None


class GuardedEntries:
    """The same, as the attempt gets it: its time does not count.

    Args:
        attempt: the reader's code.
        entries: the cache.
    """

    def __init__(self, attempt: LoadedAttempt, entries: EntryStore) -> None:
        self.get = attempt.wrap_store(entries.get, passes_errors=False)
        self.set = attempt.wrap_store(entries.set, passes_errors=False)


class AttemptCacheAside:
    """The attempt in the form of the store's cache.

    Args:
        attempt: the reader's code.
        own: the store's cache; it looks up what the attempt cannot.
        level: Valkey.
        lifetime: from the seconds of a policy to those of an entry.
        emit: receives look-ups and loads, for the figures.
    """

    def __init__(self, attempt: LoadedAttempt, own: Cache, level: CacheLevel, lifetime: Lifetime, emit: Emit) -> None:
        self._attempt = attempt
        self._own = own
        self._level = level
        self._lifetime = lifetime
        self._emit = emit
        self._entries = GuardedEntries(attempt, EntryStore(level))
        self.invalidate = own.invalidate

    def get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        """See :meth:`Cache.get_or_load`."""
        otherwise = partial(self._own.get_or_load, key, policy, tags, load, finds_tags=finds_tags)
        if not policy.ttl_s or policy.negative:
            return otherwise()
        try:
            versions = self._level.ensure_tag_versions((*tags, ANY_TAG) if finds_tags else tags).versions
        except CacheUnavailable:
            return otherwise()
        digest = hashlib.sha256(" ".join(versions).encode()).hexdigest()[:DIGEST_CHARS]
        return self._look_up(f"{key}:{digest}", policy, load, otherwise)

    def get_many(self, requests: Sequence[CacheRequest]) -> list[bytes | None]:
        """See :meth:`Cache.get_many`; one after the other."""
        return self._own.get_many(requests)

    def peek(self, key: str, policy: CachePolicy, tags: Sequence[str]) -> None:
        """Find nothing: the request then looks up by :meth:`get_or_load`."""

    def _look_up(self, key: str, policy: CachePolicy, load: Load, otherwise: Callable[[], bytes]) -> bytes:
        loaded: list[bytes] = []
        loading_s = 0.0
        ttl_s = self._lifetime(policy.ttl_s)

        def load_measured() -> bytes:
            nonlocal loading_s
            began = time.monotonic()
            try:
                value = load()
            finally:
                loading_s = time.monotonic() - began
            loaded.append(value)
            self._emit(LoadFinished(policy.name, "miss", "ok", loading_s))
            return pack(value, time.time() + ttl_s)

        began = time.monotonic()
        arguments = (self._entries, key, ttl_s, self._attempt.wrap_store(load_measured))
        text = f"{self._attempt.place.slot.defines}(cache, {key!r}, {ttl_s:g}, load)"
        packed = self._attempt.call(
            text, self._attempt.defined, arguments, lambda: None, packed_fault, after_failure=lambda: None
        )
        if packed is None:
            return loaded[-1] if loaded else otherwise()
        spent = time.monotonic() - began - loading_s
        outcome = ("miss", 0) if loaded else ("hit", int(expiry_of(packed) - time.time()))
        self._emit(LookupFinished(self._level.name, policy.name, *outcome, bool(loaded), spent))  # type: ignore[arg-type]
        return unpack(packed)


def adapt(attempt: LoadedAttempt, default: Cache, **tools: Any) -> Any:
    """Return a cache that reads by the attempt."""
    return AttemptCacheAside(attempt, default, tools["level"], tools["lifetime"], tools["emit"])
