"""Exercise ``negative-caching``: remembers what does not exist, in front of the store's cache.

An absence is forgotten by its time, and when this process invalidates one of its tags. An invalidation of another
process does not reach the attempt.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten
from shop.patterns.caching import NEGATIVE, CacheClient, CachePolicy, LoadOptions
from shop.patterns.caching.loader import Load

LIMIT = 10_000
"""Names that are remembered at most."""


class AbsentThing(Exception):
    """A thing that does not exist; its text is that of a negative entry of the store."""


class AttemptNegativeCache:
    """The attempt in front of the store's cache.

    Args:
        attempt: the reader's code.
        negative: what it returned.
        own: the store's cache, which stores no absence.
        options: names the exceptions for a thing that does not exist.
    """

    def __init__(self, attempt: LoadedAttempt, negative: Any, own: CacheClient, options: LoadOptions) -> None:
        self._attempt = attempt
        self._negative = negative
        self._own = own
        self._options = options
        self._lock = threading.Lock()
        self._absent: dict[str, set[str]] = {}
        """Keys of things that did not exist, by tag."""
        self.get_many = own.get_many
        self.peek = own.peek
        self.effective_tags = own.effective_tags

    def get_or_load(
        self, key: str, policy: CachePolicy, tags: Sequence[str], load: Load, *, finds_tags: bool = False
    ) -> bytes:
        """See :meth:`Cache.get_or_load`."""

        def look_up() -> bytes:
            try:
                return self._own.get_or_load(key, policy, tags, load, finds_tags=finds_tags)
            except Exception as error:
                text = self._options.encode_not_found(error)
                if text is None:
                    raise
                self._remember(key, tags)
                raise AbsentThing(text) from error

        own = partial(self._own.get_or_load, key, policy, tags, load, finds_tags=finds_tags)
        call = f"cache.get({key!r}, load)"
        arguments = (key, self._attempt.wrap_store(look_up))
        try:
            value: bytes = self._attempt.call(call, self._negative.get, arguments, own, _fault, passes=(AbsentThing,))
        except AbsentThing as absent:
            raise self._options.decode_not_found(str(absent)) from None
        return value

    def invalidate(self, tags: Sequence[str]) -> None:
        """Make every entry invalid that carries one of the tags, and forget the absences."""
        self._own.invalidate(tags)
        self._forget(tags)

    def on_write(self, tags: Sequence[str], refills: Sequence[Callable[[], object]] = ()) -> None:
        """Update the cache after a commit, and forget the absences."""
        self._own.on_write(tags, refills)
        self._forget(tags)

    def _remember(self, key: str, tags: Sequence[str]) -> None:
        with self._lock:
            for tag in tags:
                self._absent.setdefault(tag, set()).add(key)
            while len(self._absent) > LIMIT:
                self._absent.pop(next(iter(self._absent)))

    def _forget(self, tags: Sequence[str]) -> None:
        with self._lock:
            keys = {key for tag in tags for key in self._absent.pop(tag, ())}
        for key in keys:
            self._attempt.call(f"cache.created({key!r})", self._negative.created, (key,), lambda: None)


def adapt(attempt: LoadedAttempt, default: Any, **tools: Any) -> Callable[[CacheClient], CacheClient]:
    """Return a function that puts the attempt in front of a cache; ``default`` if it cannot be made."""
    options: LoadOptions = tools["options"]
    arguments = (AbsentThing, time.monotonic, float(NEGATIVE.ttl_s), LIMIT)
    text = f"{attempt.place.slot.defines}(not_found, clock, {NEGATIVE.ttl_s}, {LIMIT})"
    negative = attempt.once("negative", lambda: attempt.make(text, arguments, lambda: None))
    if negative is None:
        unchanged: Callable[[CacheClient], CacheClient] = default
        return unchanged
    return lambda own: AttemptNegativeCache(attempt, negative, own, options)


def _fault(value: Any) -> str:
    return "" if isinstance(value, bytes) else f"{shorten(value)}, which is no value in bytes."
