import time


def stampede_lock(valkey, lock_s, max_wait_s, clock, sleep):
    def load_once(name, read, load):
        deadline = clock() + max_wait_s
        while clock() < deadline:
            if valkey.set(name, time.time_ns(), nx=True, ex=int(lock_s)):
                try:
                    value = read()
                    return load() if value is None else value
                finally:
                    valkey.delete(name)
            sleep(0.05)
            value = read()
            if value is not None:
                return value
        return load()

    return load_once
