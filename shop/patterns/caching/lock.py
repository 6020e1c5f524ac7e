"""A lock in Valkey: of all processes that want the same value, one loads it.

Problem: single flight within a process leaves one load a process; with twenty processes that is twenty.
Method: ``SET NX PX`` with a random token as the value. A script compares the token before it deletes or extends the
lock, so a process can only release its own lock. The lock expires, so a dead holder blocks the others for a bounded
time. While a holder lives and its load is slow, the thread of :class:`LockWatchdog` extends the lock.
The lock saves work and guarantees nothing: if the server loses it, two processes load. Correctness does not depend on
it, but on the tag versions. So one server is enough, and no quorum is needed.
The name of a lock contains the tag versions: after an invalidation no reader waits for a load of the old state.
A waiting process is woken by a broadcast (:class:`FillWaiters`). The broadcast may be lost, and a dead holder sends
none. So it only shortens the wait: the waiting process also reads again after a while by itself.
A load that stored nothing leaves a note about its outcome. If it failed, the waiting processes fail as well, because
each of them would only wait for the same broken database. If its value may not be stored, no process can take the value
from the cache. So the waiting processes do not wait for each other again: all load at once.
Switch: ``cache.stampede``, ``lock`` and ``lock+early``.
Source: Valkey's documentation, "Distributed locks", the single-instance form; Kleppmann, "How to do distributed
locking" (2016), on the difference between a lock that saves work and a lock that correctness depends on.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from shop.patterns.caching.valkey_client import Command
from shop.threads import reset_after_fork

TTL_S = 2.0
"""Nearly every load takes less time (a screen takes 5 to 50 ms), and the wait after the death of a holder is short."""
_DIGEST_BYTES = 8
_RELEASE = "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0"
_EXTEND = "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('PEXPIRE',KEYS[1],ARGV[2]) end return 0"
RECHECK_CONNECTED_S = 0.5
"""Seconds after which a waiting process reads by itself: it sees at most so late that a dead holder's lock expired."""
RECHECK_DISCONNECTED_S = 0.05
"""The same while broadcasts do not arrive: then reading is the only way to know."""


@dataclass(frozen=True, slots=True)
class LoadLease:
    """A lock that a thread holds or wants."""

    name: str
    token: str = field(default_factory=lambda: secrets.token_hex(8))


LoadEnding = Literal["failed", "unstored"]
"""The outcome of a load that stored nothing: it failed, or its value may not be stored."""


def lock_name(key: str, versions: Sequence[str]) -> str:
    """Return the name of the load of ``key`` under these tag versions; its length is bounded by the key's."""
    digest = hashlib.blake2b("\n".join(versions).encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{key}:{digest}"


def acquire_commands(lock_key: str, lease: LoadLease) -> list[Command]:
    """Return the commands that take a lock if it is free; the last reply is the token of its holder.

    Ignore the reply to ``SET``. The client may send a packet twice: then the first ``SET`` has taken the lock for the
    caller, and the second one is refused. Only the token tells whether the caller has the lock.
    """
    return [("SET", lock_key, lease.token, "NX", "PX", round(TTL_S * 1000)), ("GET", lock_key)]


def release_command(lock_key: str, lease: LoadLease) -> Command:
    """Return the command that releases a lock if the caller still holds it."""
    return ("EVAL", _RELEASE, 1, lock_key, lease.token)


def ending_command(ending_key: str, lease: LoadLease, ending: LoadEnding) -> Command:
    """Return the command that notes the outcome of a load that stored nothing. Send it before the release."""
    return ("SET", ending_key, f"{ending}:{lease.token}", "PX", round(TTL_S * 1000))


def extend_command(lock_key: str, lease: LoadLease) -> Command:
    """Return the command that restarts the time of a lock; its reply is 1 if the caller still held it."""
    return ("EVAL", _EXTEND, 1, lock_key, lease.token, round(TTL_S * 1000))


class FillWaiters:
    """The threads of this process that wait for the end of another process's load."""

    def __init__(self) -> None:
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._waiters: dict[str, list[threading.Event]] = {}
        self._connected = False

    @property
    def awaited_loads(self) -> int:
        """Return for how many loads a thread waits."""
        return len(self._waiters)

    @property
    def recheck_s(self) -> float:
        """Return the seconds to wait for a broadcast before reading again."""
        return RECHECK_CONNECTED_S if self._connected else RECHECK_DISCONNECTED_S

    @contextmanager
    def subscribe(self, name: str) -> Iterator[threading.Event]:
        """Yield an event that is set at each end of a load called ``name``. Subscribe before reading: no gap."""
        woken = threading.Event()
        with self._lock:
            self._waiters.setdefault(name, []).append(woken)
        try:
            yield woken
        finally:
            with self._lock:
                waiters = self._waiters.get(name, [])
                waiters.remove(woken)
                if not waiters:
                    self._waiters.pop(name, None)

    def notify(self, name: str) -> None:
        """Wake the threads that wait for ``name``."""
        if name not in self._waiters:  # true for most fills
            return
        with self._lock:
            for woken in self._waiters.get(name, ()):
                woken.set()

    def set_connected(self, *, connected: bool) -> None:
        """Note whether broadcasts arrive; wake all threads so that each reads again."""
        self._connected = connected
        with self._lock:
            for waiters in self._waiters.values():
                for woken in waiters:
                    woken.set()


class LockWatchdog:
    """One thread that extends the locks of this process after a third of their time.

    It starts with the first lock, and ends when no lock was held for a while: an idle process has no watchdog.

    Args:
        every_s: seconds between two extensions.
    """

    def __init__(self, every_s: float = TTL_S / 3) -> None:
        self._every_s = every_s
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[LoadLease, tuple[float, Callable[[LoadLease], bool], Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Return whether its thread lives."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def held_locks(self) -> int:
        """Return how many locks it extends."""
        return len(self._held)

    @contextmanager
    def extending(
        self, lease: LoadLease, extend: Callable[[LoadLease], bool], on_lost: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Extend a lock for as long as the block runs.

        Args:
            lease: the lock; the caller releases it after the block, not within.
            extend: extends it and returns whether the caller still held it; must not raise.
            on_lost: called if the caller no longer held it. It is not called for an extension that was in progress when
                the block ended: the lock may have been released before the extension reached the server.
        """
        with self._changed:
            self._held[lease] = (time.monotonic() + self._every_s, extend, on_lost)
            if not self.is_running:
                self._thread = threading.Thread(target=self._run, name="lock-watchdog", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._held.pop(lease, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._held:
                    self._changed.wait(self._every_s)
                if not self._held:
                    self._thread = None
                    return
                next_extension = min(at for at, *_ in self._held.values())
                if (pause := next_extension - time.monotonic()) > 0:
                    self._changed.wait(pause)
                due = [
                    (lease, extend, on_lost)
                    for lease, (at, extend, on_lost) in self._held.items()
                    if at <= time.monotonic()
                ]
            for lease, extend, on_lost in due:
                still_held = extend(lease)
                with self._changed:
                    if lease not in self._held:
                        continue  # the block has ended meanwhile
                    if still_held:
                        self._held[lease] = (time.monotonic() + self._every_s, extend, on_lost)
                    else:
                        del self._held[lease]
                        on_lost()
