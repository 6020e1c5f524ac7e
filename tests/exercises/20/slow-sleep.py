import hashlib
import math
import secrets
import time

from shop.patterns.caching.levels import ANY_TAG, LockAttempt, ReadResult, TagVersions

MONTH_S = 30 * 24 * 3600


def name(kind, text):
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()}"


def new_version():
    return secrets.token_hex(8).encode()


class MemcachedLevel:
    def __init__(self, client):
        self._client = client

    def read(self, key, tags):
        time.sleep(0.03)
        names = [name("t", tag) for tag in tags]
        values = self._client.get_many([name("e", key), *names])
        versions = tuple(values[one].decode() if one in values else None for one in names)
        return ReadResult(values.get(name("e", key)), versions)

    def write(self, key, stored, ttl_s):
        self._client.set(name("e", key), stored, min(math.ceil(ttl_s), MONTH_S))

    def ensure_tag_versions(self, tags):
        created = tuple(tag for tag in tags if self._client.add(name("t", tag), new_version(), 86400))
        return TagVersions(self.read("", tags).versions, created)

    def invalidate(self, tags):
        for tag in (ANY_TAG, *tags):
            self._client.set(name("t", tag), new_version(), 86400)
        return True

    def acquire_and_read(self, key, tags, lease):
        lock = name("l", lease.name)
        self._client.add(lock, lease.token.encode(), 5)
        holder = self._client.get_many([lock]).get(lock, b"").decode()
        return LockAttempt(holder == lease.token, self.read(key, tags), holder)

    def release(self, lease):
        lock = name("l", lease.name)
        value = self._client.gets(lock)
        if value is not None and value[0] == lease.token.encode():
            self._client.delete(lock, value[1])
