"""Exercise 13: negative caching. Complete `NegativeCache`, then run `bin/shop exercise check 13`."""

from collections.abc import Callable


class NegativeCache:
    """Remembers names that do not exist. Many threads call it at once.

    Args:
        not_found: the exception that says that a thing does not exist; it takes a text.
        clock: returns seconds; only differences have a meaning.
        ttl_s: how long an absence is remembered, in seconds.
        limit: how many names are remembered at most.
    """

    def __init__(self, not_found: type[Exception], clock: Callable[[], float], ttl_s: float, limit: int) -> None:
        self.not_found = not_found
        self.clock = clock
        self.ttl_s = ttl_s
        self.limit = limit

    def get(self, name: str, load: Callable[[], bytes]) -> bytes:
        """Return the value of a name, or raise `not_found`.

        Args:
            name: of a thing that may not exist.
            load: reads the value from the database; it raises `not_found` if there is no such thing.
        """
        return load()  # every request for a wrong address reads the database

    def created(self, name: str) -> None:
        """Note that a thing was created, after its transaction was committed."""
