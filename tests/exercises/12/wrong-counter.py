class TaggedCache:
    def __init__(self, valkey, ttl_s):
        self.valkey, self.ttl_s = valkey, ttl_s

    def versions(self, tags):
        for tag in tags:
            self.valkey.set(f"count:{tag}", 1, nx=True, ex=86_400)
        return b",".join(self.valkey.get(f"count:{tag}") for tag in tags)

    def get_or_load(self, key, tags, load):
        before = self.versions(tags)
        entry = self.valkey.hgetall(f"entry:{key}")
        if entry and entry[b"versions"] == before:
            return entry[b"value"]
        value = load()
        with self.valkey.pipeline() as pipeline:
            pipeline.hset(f"entry:{key}", mapping={"versions": before, "value": value})
            pipeline.expire(f"entry:{key}", self.ttl_s)
            pipeline.execute()
        return value

    def on_write(self, tags, after_commit):
        def count_up():
            for tag in tags:
                self.valkey.incr(f"count:{tag}")

        after_commit(count_up)
