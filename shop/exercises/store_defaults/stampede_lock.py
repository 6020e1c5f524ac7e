"""The store's own lock against stampedes, ``LockedLoad``, with the client, the clock and the waits of a check."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shop.clock import SystemClock
from shop.exercises.interfaces.stampede_lock import LoadOnce
from shop.patterns.caching import CATALOGUE, CacheRequest, LockedLoad, StampedeState
from shop.patterns.caching.entry import MISSING, CacheEntry, encode
from shop.patterns.caching.levels import LockAttempt, NullLevel, ReadResult, TagVersions, Versions
from shop.patterns.caching.loader import CacheLoader
from shop.patterns.caching.lock import (
    TTL_S,
    FillWaiters,
    LoadEnding,
    LoadLease,
    acquire_commands,
    extend_command,
    release_command,
)

if TYPE_CHECKING:
    from redis import Redis


class SleepingEvent(threading.Event):
    """An event that is never set: a wait for it is a sleep.

    Args:
        sleep: waits so many seconds.
    """

    def __init__(self, sleep: Callable[[float], None]) -> None:
        super().__init__()
        self._sleep = sleep

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep."""
        self._sleep(timeout or 0.0)
        return False


class SleepingWaiters(FillWaiters):
    """Waiting threads that are not woken, and read again after a while.

    Args:
        sleep: waits so many seconds.
    """

    def __init__(self, sleep: Callable[[float], None]) -> None:
        super().__init__()
        self._sleep = sleep

    @contextmanager
    def subscribe(self, name: str) -> Iterator[threading.Event]:
        """Yield an event whose wait is a sleep."""
        yield SleepingEvent(self._sleep)


class LockOnlyLevel(NullLevel):
    """A shared level with one lock in Valkey; the check itself has the value.

    Args:
        valkey: the client.
        name: the key of the lock.
        read_value: returns the value in the cache.
    """

    name = "exercise"
    enabled = True

    def __init__(self, valkey: "Redis", name: str, read_value: Callable[[], bytes | None]) -> None:
        self._execute: Callable[..., Any] = valkey.execute_command
        self._lock_name = name
        self._read_value = read_value

    def read(self, key: str, tags: Sequence[str]) -> ReadResult:
        """Return the value as an entry that is fresh for a while."""
        value = self._read_value()
        if value is None:
            return ReadResult(None, ())
        fresh_until = SystemClock().now().timestamp() + CATALOGUE.ttl_s
        return ReadResult(encode(CacheEntry(value, fresh_until, fresh_until, 0.0, ())), ())

    def versions(self, tags: Sequence[str]) -> Versions:
        """Return no versions."""
        return ()

    def ensure_tag_versions(self, tags: Sequence[str]) -> TagVersions:
        """Return no versions."""
        return TagVersions(())

    def acquire_and_read(self, key: str, tags: Sequence[str], lease: LoadLease) -> LockAttempt:
        """Take the lock if it is free, then read."""
        replies = [self._execute(*command) for command in acquire_commands(self._lock_name, lease)]
        holder = (replies[-1] or b"").decode()
        return LockAttempt(holder == lease.token, self.read(key, tags), holder)

    def write(
        self, key: str, stored: bytes, ttl_s: float, lease: LoadLease | None = None, ephemeral_tags: Sequence[str] = ()
    ) -> None:
        """Release the lock: the load has stored the value."""
        if lease is not None:
            self.release(lease)

    def release(self, lease: LoadLease, ending: LoadEnding | None = None) -> None:
        """Release the lock."""
        self._execute(*release_command(self._lock_name, lease))

    def extend(self, lease: LoadLease) -> bool:
        """Restart the time of the lock."""
        return bool(self._execute(*extend_command(self._lock_name, lease)))


def stampede_lock(
    valkey: "Redis", lock_s: float, max_wait_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> LoadOnce:
    """Return the store's own look-up of a value that the cache did not have.

    Raises:
        ValueError: the lock of the store lives another time.
    """
    if lock_s != TTL_S:
        raise ValueError(f"the store's lock lives {TTL_S} s")

    def load_once(name: str, read: Callable[[], bytes | None], load: Callable[[], bytes]) -> bytes:
        # With a state of its own, each caller takes part in the lock, as a process does: no single flight in front.
        state = StampedeState(fill_waiters=SleepingWaiters(sleep), max_wait_s=max_wait_s, monotonic=clock)
        loader = CacheLoader(LockOnlyLevel(valkey, name, read), SystemClock())
        result = LockedLoad(loader, state).fill(CacheRequest(name, CATALOGUE, (), load), ReadResult(None, ()), MISSING)
        return result.entry.value

    return load_once
