"""An interface with an object, for the tests: a factory of locks."""

from typing import Protocol


class Lock(Protocol):
    def acquire(self, key: str, ttl_ms: int) -> str | None: ...

    def release(self, key: str, token: str) -> bool: ...


class LockFactory(Protocol):
    def __call__(self, valkey: object, *, prefix: str = "lock:") -> Lock: ...
