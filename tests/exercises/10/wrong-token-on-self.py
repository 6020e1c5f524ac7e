import secrets

RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class StampedeLock:
    def __init__(self, valkey, lock_s, max_wait_s, clock, sleep):
        self.valkey, self.lock_ms, self.max_wait_s = valkey, int(lock_s * 1000), max_wait_s
        self.clock, self.sleep = clock, sleep
        self.token = ""

    def acquire(self, name):
        self.token = secrets.token_hex(16)
        return self.valkey.set(name, self.token, nx=True, px=self.lock_ms)

    def release(self, name):
        self.valkey.eval(RELEASE, 1, name, self.token)

    def __call__(self, name, read, load):
        deadline = self.clock() + self.max_wait_s
        while self.clock() < deadline:
            if self.acquire(name):
                try:
                    value = read()
                    return load() if value is None else value
                finally:
                    self.release(name)
            self.sleep(0.05)
            value = read()
            if value is not None:
                return value
        return load()


stampede_lock = StampedeLock
