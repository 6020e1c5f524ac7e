import base64
import hashlib
import uuid
from types import SimpleNamespace

from shop.patterns.caching.levels import LockAttempt, ReadResult, TagVersions


def key_of(kind, text):
    digest = hashlib.blake2b(text.encode(), digest_size=24, person=kind.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()


def MemcachedLevel(client):
    """A level of closures: a function is as good as a class."""

    def read(key, tags):
        values = client.get_many([key_of("entry", key)] + [key_of("tag", tag) for tag in tags])
        versions = [values.get(key_of("tag", tag)) for tag in tags]
        return ReadResult(values.get(key_of("entry", key)), tuple(one.decode() if one else None for one in versions))

    def write(key, stored, ttl_s):
        whole = max(1, min(int(-(-ttl_s // 1)), 2_592_000))
        client.set(key_of("entry", key), stored, whole)

    def ensure_tag_versions(tags):
        created = []
        versions = []
        for tag in tags:
            version = str(uuid.uuid4())
            if client.add(key_of("tag", tag), version.encode(), 86_400):
                created.append(tag)
            else:
                stored = client.gets(key_of("tag", tag))
                version = stored[0].decode() if stored else version
            versions.append(version)
        return TagVersions(tuple(versions), tuple(created))

    def invalidate(tags):
        for tag in ["*", *tags]:
            client.set(key_of("tag", tag), str(uuid.uuid4()).encode(), 86_400)
        return True

    def acquire_and_read(key, tags, lease):
        lock = key_of("lock", lease.name)
        acquired = client.add(lock, lease.token.encode(), 3)
        if acquired:
            return LockAttempt(True, read(key, tags), lease.token)
        stored = client.gets(lock)
        return LockAttempt(False, read(key, tags), stored[0].decode() if stored else "")

    def release(lease):
        lock = key_of("lock", lease.name)
        stored = client.gets(lock)
        if stored and stored[0].decode() == lease.token:
            client.delete(lock, version=stored[1])

    return SimpleNamespace(
        read=read,
        write=write,
        ensure_tag_versions=ensure_tag_versions,
        invalidate=invalidate,
        acquire_and_read=acquire_and_read,
        release=release,
    )
