import secrets

RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


def stampede_lock(valkey, lock_s, max_wait_s, clock, sleep):
    def load_once(name, read, load):
        token = secrets.token_hex(8)
        if valkey.set(name, token, nx=True, px=int(lock_s * 1000)):
            try:
                value = read()
                return value if value is not None else load()
            finally:
                valkey.eval(RELEASE, 1, name, token)
        sleep(max_wait_s)
        value = read()
        return value if value is not None else load()

    return load_once
