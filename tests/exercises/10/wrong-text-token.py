import secrets


def stampede_lock(valkey, lock_s, max_wait_s, clock, sleep):
    def load_once(name, read, load):
        token = secrets.token_hex(8)
        deadline = clock() + max_wait_s
        while True:
            if valkey.set(name, token, nx=True, px=round(lock_s * 1000)):
                try:
                    value = read()
                    return load() if value is None else value
                finally:
                    if valkey.get(name) == token:
                        valkey.delete(name)
            if clock() >= deadline:
                return load()
            sleep(0.05)
            value = read()
            if value is not None:
                return value

    return load_once
