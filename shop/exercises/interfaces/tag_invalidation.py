"""The interface of the exercise ``tag-invalidation``."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from redis import Redis

AfterCommit = Callable[[Callable[[], None]], None]
"""Takes a function without arguments. It runs after the commit of the writer's transaction; never after a rollback."""


class TaggedCache(Protocol):
    """A cache whose entries carry tags; one object in each process of the store."""

    def get_or_load(self, key: str, tags: Sequence[str], load: Callable[[], bytes]) -> bytes:
        """Return the value of a key: the stored one while it is valid, otherwise that of ``load``, which is stored.

        Args:
            key: of the entry.
            tags: what the value is made from.
            load: reads the database.
        """
        ...

    def on_write(self, tags: Sequence[str], after_commit: AfterCommit) -> None:
        """Make every entry invalid that carries one of the tags, once the writer's transaction is committed.

        Args:
            tags: of what is written.
            after_commit: registers a function that runs after the commit.
        """
        ...


class TaggedCacheFactory(Protocol):
    """Builds the cache when a process starts."""

    def __call__(self, valkey: "Redis", ttl_s: int) -> TaggedCache:
        """Return the cache.

        Args:
            valkey: the client; all processes use the same server.
            ttl_s: lifetime of an entry, in seconds.
        """
        ...
