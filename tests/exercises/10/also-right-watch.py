import os
from contextlib import contextmanager

from redis.exceptions import WatchError


class StampedeLock:
    """With a transaction that is refused if the lock changes, in place of a script."""

    def __init__(self, valkey, lock_s, max_wait_s, clock, sleep, pause_s=0.1):
        self.valkey = valkey
        self.lock_ms = int(lock_s * 1000)
        self.waits = max(1, round(max_wait_s / pause_s))
        self.sleep, self.pause_s = sleep, pause_s

    def __call__(self, name, read, load):
        for _ in range(self.waits):
            token = os.urandom(12).hex().encode()
            if self.valkey.set(name, token, nx=True, px=self.lock_ms):
                with self.held(name, token):
                    value = read()
                    return value if value is not None else load()
            self.sleep(self.pause_s)
            value = read()
            if value is not None:
                return value
        return load()

    @contextmanager
    def held(self, name, token):
        try:
            yield
        finally:
            with self.valkey.pipeline() as pipeline:
                try:
                    pipeline.watch(name)
                    if pipeline.get(name) == token:
                        pipeline.multi()
                        pipeline.delete(name)
                        pipeline.execute()
                except WatchError:
                    pass


def stampede_lock(valkey, lock_s, max_wait_s, clock, sleep):
    return StampedeLock(valkey, lock_s, max_wait_s, clock, sleep)
