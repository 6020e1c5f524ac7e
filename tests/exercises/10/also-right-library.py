from redis.exceptions import LockNotOwnedError


def stampede_lock(valkey, lock_s, max_wait_s, clock, sleep):
    """With the lock of redis-py, which has a token and a script of its own."""

    def load_once(name, read, load):
        lock = valkey.lock(name, timeout=lock_s, blocking=False)
        give_up_at = clock() + max_wait_s
        while not lock.acquire():
            if clock() >= give_up_at:
                return load()
            sleep(min(0.03, give_up_at - clock()))
            if (value := read()) is not None:
                return value
        try:
            return load() if (value := read()) is None else value
        finally:
            try:
                lock.release()
            except LockNotOwnedError:
                pass  # the load took longer than the lock

    return load_once
