"""The keys of calls in progress. The provider is one process, so the set is in its memory and ends with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class KeysInFlight:
    """A set of keys; at most one call holds each key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[tuple[str, str]] = set()

    @contextmanager
    def hold(self, operation: str, key: str) -> Iterator[bool]:
        """Hold a key for the block; yield whether the key was free."""
        with self._lock:
            is_free = (operation, key) not in self._keys
            self._keys.add((operation, key))
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._keys.discard((operation, key))
