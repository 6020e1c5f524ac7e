"""Exercise 20: a Memcached level. Mend the methods, then run `bin/shop exercise check 20`."""

from collections.abc import Sequence

from shop.exercises.memcached_client import MemcachedClient
from shop.patterns.caching.levels import LockAttempt, ReadResult, TagVersions
from shop.patterns.caching.lock import LoadLease


class MemcachedLevel:
    """Entries, tag versions and locks in Memcached.

    Args:
        client: get_many(keys), gets(key), set(key, value, exptime), add(key, value, exptime), cas(...) and
            delete(key, version=None); keys are texts, values are bytes.
    """

    def __init__(self, client: MemcachedClient) -> None:
        self._client = client

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the entry, and the versions of the tags just after it was read, in one round trip."""
        values = self._client.get_many([f"e:{key}", *(f"t:{tag}" for tag in tags)])
        versions = [values.get(f"t:{tag}") for tag in tags]
        return ReadResult(values.get(f"e:{key}"), tuple(version and version.decode() for version in versions))

    def write(self, key: str, stored: bytes, ttl_s: float) -> None:
        """Store an entry for at most ttl_s seconds; a part of a second is rounded up."""
        self._client.set(f"e:{key}", stored, int(ttl_s))

    def ensure_tag_versions(self, tags: Sequence[str]) -> TagVersions:
        """Return the version of each tag; give a version never used before to each tag that has none.

        TagVersions has the versions in the order of the tags, and the tags that had none before.
        """
        return TagVersions(("1",) * len(tags))

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag, and ANY_TAG of the same module as ReadResult, a version never used before; return True."""
        return True

    def acquire_and_read(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Take the lock if it is free, and then read. LockAttempt has whether the caller has it, and its holder."""
        return LockAttempt(True, self.read(key, tags), lease.token)

    def release(self, lease: LoadLease) -> None:
        """Release the lock if the caller still holds it; otherwise do nothing."""
