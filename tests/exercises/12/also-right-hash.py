import uuid


class TaggedCache:
    """Each entry is a hash: its value, and for each tag the version from before the load."""

    def __init__(self, valkey, ttl_s):
        self.valkey, self.ttl_s = valkey, ttl_s

    def get_or_load(self, key, tags, load):
        names = [b"tag/" + tag.encode() for tag in tags]
        with self.valkey.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(key)
            for name in names:
                pipeline.set(name, uuid.uuid4().hex, nx=True, ex=2 * self.ttl_s)
                pipeline.get(name)
            entry, *replies = pipeline.execute()
        before = dict(zip(names, replies[1::2], strict=True))
        if entry and all(entry.get(name) == version for name, version in before.items()):
            return entry[b"value"]
        entry = {b"value": load(), **before}
        with self.valkey.pipeline(transaction=True) as pipeline:
            pipeline.delete(key)
            pipeline.hset(key, mapping=entry)
            pipeline.expire(key, self.ttl_s)
            pipeline.execute()
        return entry[b"value"]

    def on_write(self, tags, after_commit):
        renewed = {f"tag/{tag}": uuid.uuid4().hex for tag in tags}

        def renew():
            with self.valkey.pipeline() as pipeline:
                for name, version in renewed.items():
                    pipeline.set(name, version, ex=2 * self.ttl_s)
                pipeline.execute()

        after_commit(renew)
