import uuid

RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


def stampede_lock(valkey, lock_s, max_wait_s, clock, sleep):
    def take(name, token):
        if not valkey.setnx(name, token):
            return False
        valkey.expire(name, int(lock_s))
        return True

    def load_once(name, read, load):
        token = str(uuid.uuid4())
        deadline = clock() + max_wait_s
        while clock() < deadline:
            if take(name, token):
                try:
                    value = read()
                    return load() if value is None else value
                finally:
                    valkey.eval(RELEASE, 1, name, token)
            sleep(0.05)
            value = read()
            if value is not None:
                return value
        return load()

    return load_once
