"""The interface of the exercise ``negative-caching``."""

from collections.abc import Callable
from typing import Protocol


class NegativeCache(Protocol):
    """Remembers names that do not exist. Many threads call it at once."""

    def get(self, name: str, load: Callable[[], bytes]) -> bytes:
        """Return the value of a name, or raise the exception for a name that does not exist.

        Args:
            name: of a thing that may not exist.
            load: reads the value from the database; it raises ``not_found`` if there is no such thing.
        """
        ...

    def created(self, name: str) -> None:
        """Note that a thing was created, after its transaction was committed: its name is looked up from now on."""
        ...


class NegativeCacheFactory(Protocol):
    """Makes the negative cache of a process."""

    def __call__(
        self, not_found: type[Exception], clock: Callable[[], float], ttl_s: float, limit: int
    ) -> NegativeCache:
        """Return an empty one.

        Args:
            not_found: the exception that says that a thing does not exist; it takes a text.
            clock: returns seconds; only differences have a meaning.
            ttl_s: how long an absence is remembered, in seconds.
            limit: how many names are remembered at most.
        """
        ...
