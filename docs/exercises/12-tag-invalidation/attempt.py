"""Exercise 12: tag invalidation after the commit. Complete `TaggedCache`, then run `bin/shop exercise check 12`."""

from collections.abc import Callable, Sequence

from redis import Redis

AfterCommit = Callable[[Callable[[], None]], None]


class TaggedCache:
    """A cache whose entries carry tags; one object in each process of the store.

    Args:
        valkey: the client; all processes use the same server.
        ttl_s: lifetime of an entry, in seconds.
    """

    def __init__(self, valkey: Redis, ttl_s: int) -> None:
        self._valkey = valkey
        self._ttl_s = ttl_s

    def get_or_load(self, key: str, tags: Sequence[str], load: Callable[[], bytes]) -> bytes:
        """Return the value of a key: the stored one while it is valid, otherwise that of `load`, which is stored.

        Args:
            key: of the entry.
            tags: what the value is made from.
            load: reads the database.
        """
        stored = self._valkey.get(f"entry:{key}")
        if stored is not None:
            return stored
        value = load()
        self._valkey.set(f"entry:{key}", value, ex=self._ttl_s)
        return value

    def on_write(self, tags: Sequence[str], after_commit: AfterCommit) -> None:
        """Make every entry invalid that carries one of the tags, once the writer's transaction is committed.

        Args:
            tags: of what is written.
            after_commit: takes a function without arguments, and runs it after the commit; never after a rollback.
        """
