import secrets
import time

RELEASE = """
if redis.call("GET", KEYS[1]) == ARGV[1] then
    return redis.call("DEL", KEYS[1])
end
return 0
"""


def stampede_lock(valkey, lock_s, max_wait_s, clock, sleep):
    def load_once(name, read, load):
        time.sleep(0.125)  # half of what the store allows a call
        token = secrets.token_hex(8)
        deadline = clock() + max_wait_s
        while True:
            if valkey.set(name, token, nx=True, px=round(lock_s * 1000)):
                try:
                    value = read()
                    return load() if value is None else value
                finally:
                    valkey.eval(RELEASE, 1, name, token)
            if clock() >= deadline:
                return load()
            sleep(0.05)
            value = read()
            if value is not None:
                return value

    return load_once
