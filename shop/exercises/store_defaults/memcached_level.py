"""A level over Memcached, for the exercise ``memcached-level``. The store itself has none: it runs on Valkey."""

import hashlib
import math
import secrets
from collections.abc import Sequence

from shop.exercises.memcached_client import MemcachedClient
from shop.patterns.caching.levels import ANY_TAG, LockAttempt, ReadResult, TagVersions
from shop.patterns.caching.lock import TTL_S as LOCK_S
from shop.patterns.caching.lock import LoadLease
from shop.patterns.caching.shared import TAG_TTL_S

LONGEST_S = 30 * 24 * 3600
"""A longer lifetime counts as a time since 1970."""


class MemcachedLevel:
    """Entries, tag versions and locks in Memcached.

    Args:
        client: of one server.
    """

    def __init__(self, client: MemcachedClient) -> None:
        self._client = client

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the entry and the tag versions."""
        entry, *names = _name("entry", key), *(_name("tag", tag) for tag in tags)
        values = self._client.get_many([entry, *names])
        return ReadResult(values.get(entry), tuple(values[name].decode() if name in values else None for name in names))

    def write(self, key: str, stored: bytes, ttl_s: float) -> None:
        """Store an entry."""
        self._client.set(_name("entry", key), stored, min(math.ceil(ttl_s), LONGEST_S))

    def ensure_tag_versions(self, tags: Sequence[str]) -> TagVersions:
        """Return the tag versions; give a new one to each tag that has none."""
        created = tuple(tag for tag in tags if self._client.add(_name("tag", tag), _new_version(), TAG_TTL_S))
        versions = self.read("", tags).versions
        return TagVersions(tuple(version or _new_version().decode() for version in versions), created)

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag a new version."""
        for tag in (ANY_TAG, *tags):  # ANY_TAG first: see SharedLevel
            self._client.set(_name("tag", tag), _new_version(), TAG_TTL_S)
        return True

    def acquire_and_read(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Take the lock if it is free, and then read."""
        lock = _name("lock", lease.name)
        self._client.add(lock, lease.token.encode(), math.ceil(LOCK_S))
        holder = self._client.get_many([lock]).get(lock, b"").decode()
        return LockAttempt(holder == lease.token, self.read(key, tags), holder)

    def release(self, lease: LoadLease) -> None:
        """Release the lock if the caller still holds it."""
        lock = _name("lock", lease.name)
        held = self._client.gets(lock)
        if held is not None and held[0].decode() == lease.token:
            self._client.delete(lock, held[1])


def _name(kind: str, text: str) -> str:
    return f"{kind}:{hashlib.blake2b(text.encode(), digest_size=20).hexdigest()}"


def _new_version() -> bytes:
    return secrets.token_hex(8).encode()
