import uuid

RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


def stampede_lock(valkey, lock_s, max_wait_s, clock, sleep):
    def load_once(name, read, load):
        token = str(uuid.uuid4())
        deadline = clock() + max_wait_s
        while not valkey.set(name, token, nx=True, px=int(lock_s * 1000)):
            if clock() >= deadline:
                return load()
            sleep(0.02)
            value = read()
            if value is not None:
                return value
        value = read()
        if value is None:
            value = load()
        valkey.eval(RELEASE, 1, name, token)
        return value

    return load_once
