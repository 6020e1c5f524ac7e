"""Exercise ``tag-invalidation``: a cache with tags, and what a writer does after its commit.

The attempt gets the tags that are known before a load. Tags that the load finds (related products) end no entry here;
its lifetime does.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from redis import Redis

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.in_store.packed_values import pack, packed_fault, unpack
from shop.patterns.caching import CATALOGUE, CacheClient, CachePolicy, CacheRequest
from shop.patterns.caching.loader import Load

PREFIX = "exercise:12:"
SOCKET_TIMEOUT_S = 1.0


class AttemptTaggedCache:
    """The attempt in the form of a :class:`CacheClient`.

    Args:
        attempt: the reader's code.
        tagged: what it returned.
        own: the store's cache; it looks up what the attempt cannot.
    """

    def __init__(self, attempt: LoadedAttempt, tagged: Any, own: CacheClient) -> None:
        self._attempt = attempt
        self._tagged = tagged
        self._own = own
        self.effective_tags = own.effective_tags

    def get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        """See :meth:`Cache.get_or_load`."""
        otherwise = partial(self._own.get_or_load, key, policy, tags, load, finds_tags=finds_tags)
        if not policy.ttl_s or policy.negative:
            return otherwise()
        loaded: list[bytes] = []

        def load_packed() -> bytes:
            loaded.append(load())
            return pack(loaded[-1])

        text = f"cache.get_or_load({key!r}, {list(tags)!r}, load)"
        arguments = (PREFIX + key, tuple(tags), self._attempt.wrap_store(load_packed))
        packed = self._attempt.call(text, self._tagged.get_or_load, arguments, lambda: None, packed_fault)
        if packed is not None:
            return unpack(packed)
        return loaded[-1] if loaded else otherwise()

    def get_many(self, requests: Sequence[CacheRequest]) -> list[bytes | None]:
        """See :meth:`Cache.get_many`."""
        return self._own.get_many(requests)

    def peek(self, key: str, policy: CachePolicy, tags: Sequence[str]) -> None:
        """Find nothing: the request then looks up by :meth:`get_or_load`."""

    def invalidate(self, tags: Sequence[str]) -> None:
        """Make every entry invalid that carries one of the tags."""
        self._own.invalidate(tags)
        self._tell(tags)

    def on_write(self, tags: Sequence[str], refills: Sequence[Callable[[], object]] = ()) -> None:
        """Update the cache after a commit."""
        self._own.on_write(tags, ())
        self._tell(tags)

    def _tell(self, tags: Sequence[str]) -> None:
        def run_now(function: Callable[[], None]) -> None:  # the store has committed already
            function()

        text = f"cache.on_write({list(tags)!r}, after_commit)"
        self._attempt.call(text, self._tagged.on_write, (tuple(tags), run_now), lambda: None)


def adapt(attempt: LoadedAttempt, default: CacheClient, **tools: Any) -> CacheClient:
    """Return a cache that asks the attempt."""
    url = tools["cache_url"]
    if url is None:
        return default

    def build() -> Any:
        client = Redis.from_url(url, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=SOCKET_TIMEOUT_S)
        text = f"{attempt.place.slot.defines}(valkey, {CATALOGUE.ttl_s})"
        return attempt.make(text, (client, CATALOGUE.ttl_s), lambda: None)

    tagged = attempt.once("tagged", build)
    return default if tagged is None else AttemptTaggedCache(attempt, tagged, default)
