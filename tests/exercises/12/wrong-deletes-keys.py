class TaggedCache:
    def __init__(self, valkey, ttl_s):
        self.valkey, self.ttl_s = valkey, ttl_s

    def get_or_load(self, key, tags, load):
        stored = self.valkey.get(f"entry:{key}")
        if stored is not None:
            return stored
        value = load()
        self.valkey.set(f"entry:{key}", value, ex=self.ttl_s)
        for tag in tags:
            self.valkey.sadd(f"keys:{tag}", f"entry:{key}")
            self.valkey.expire(f"keys:{tag}", self.ttl_s)
        return value

    def on_write(self, tags, after_commit):
        def delete():
            for tag in tags:
                keys = self.valkey.smembers(f"keys:{tag}")
                self.valkey.delete(f"keys:{tag}", *keys)

        after_commit(delete)
