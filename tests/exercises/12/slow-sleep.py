import json
import secrets
import time

VERSION_S = 24 * 3600  # longer than any entry lives


def entry_key(key):
    return f"entry:{key}"


def version_key(tag):
    return f"version:{tag}"


class TaggedCache:
    def __init__(self, valkey, ttl_s):
        self.valkey, self.ttl_s = valkey, ttl_s

    def get_or_load(self, key, tags, load):
        time.sleep(0.1)  # as slow a Valkey as the store waits for
        stored, *versions = self.valkey.mget([entry_key(key), *map(version_key, tags)])
        if stored is not None and None not in versions:
            carried, value = stored.split(b"\n", 1)
            if carried == self.header(versions):
                return value
        versions = self.versions_before_load(tags)
        value = load()
        self.valkey.set(entry_key(key), self.header(versions) + b"\n" + value, ex=self.ttl_s)
        return value

    def on_write(self, tags, after_commit):
        after_commit(lambda: self.renew(tags))

    def renew(self, tags):
        for tag in tags:
            self.valkey.set(version_key(tag), secrets.token_hex(8), ex=VERSION_S)

    def versions_before_load(self, tags):
        for tag in tags:
            self.valkey.set(version_key(tag), secrets.token_hex(8), ex=VERSION_S, nx=True)
        versions = self.valkey.mget([version_key(tag) for tag in tags])
        # A version that was evicted at once: the entry carries one that no tag will ever have.
        return [version or secrets.token_hex(8).encode() for version in versions]

    @staticmethod
    def header(versions):
        return json.dumps([version.decode() for version in versions]).encode()
