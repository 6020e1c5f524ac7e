"""Keys being worked on right now. The provider is one process, so its memory is the right place: it dies with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class KeysInFlight:
    """A set of keys, each held by at most one request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[tuple[str, str]] = set()

    @contextmanager
    def hold(self, operation: str, key: str) -> Iterator[bool]:
        """Hold a key for the block; yield whether it was free."""
        with self._lock:
            free = (operation, key) not in self._keys
            self._keys.add((operation, key))
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._keys.discard((operation, key))
