"""A lock in Valkey, held while one process loads what all processes want.

Problem: single flight within a process leaves one load a process; with twenty processes that is twenty.
Method: ``SET NX PX`` under a token only the holder knows. It is given back, or held longer, by a script that first
compares the token, so nobody ever removes a lock that has become somebody else's. It ends by itself: a holder that died
blocks nobody for longer than that. While a holder lives and its load is slow, a watchdog thread extends it.
The lock saves work and guarantees nothing: it may be lost with the server that keeps it, and then two load. That no
stale value is served does not rest on it, but on the tags' versions. So one server is enough, and no quorum is asked.
Whoever waited for a load that stored nothing has nothing to read. A failure is shared then: tried one after the other,
each of so many processes would wait for the database in its turn. Of an answer that is not kept nobody waits again, and
all who did load at once.
Its name carries the tags' versions: after an invalidation nobody waits for a load whose result is already worthless.
Switch: ``cache.stampede``, ``lock`` and ``lock+early``.
Source: Valkey's documentation, "Distributed locks", the single-instance form; Kleppmann, "How to do distributed
locking" (2016), for the difference between a lock that saves work and one that correctness rests on.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from shop.patterns.caching.after_fork import in_every_child
from shop.patterns.caching.connections import Command

TTL_S = 2.0
"""Longer than nearly every load (a screen takes 5 to 50 ms), short enough to lose one holder by."""
_DIGEST_BYTES = 8
_RELEASE = "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0"
_EXTEND = "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('PEXPIRE',KEYS[1],ARGV[2]) end return 0"


@dataclass(frozen=True, slots=True)
class LoadLease:
    """A lock somebody holds or wants."""

    name: str
    token: str = field(default_factory=lambda: secrets.token_hex(8))


Ended = Literal["failed", "unstored"]
"""How a load ends that stores nothing: with a failure that anybody would have met, or with an answer for one."""


def name_of(key: str, versions: Sequence[str]) -> str:
    """Return the name of the load of ``key`` under these tag versions; of bounded length beside the key."""
    digest = hashlib.blake2b("\n".join(versions).encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{key}:{digest}"


def taking(place: str, lease: LoadLease) -> list[Command]:
    """Return the commands that take a lock if it is free.

    The last answer is the holder's token. The answer to ``SET`` is not asked: where the packet had to be sent twice,
    the first has taken the lock and the second finds it taken, by the caller.
    """
    return [("SET", place, lease.token, "NX", "PX", round(TTL_S * 1000)), ("GET", place)]


def releasing(place: str, lease: LoadLease) -> Command:
    """Return the command that gives a lock back, if it is still the caller's."""
    return ("EVAL", _RELEASE, 1, place, lease.token)


def in_vain(lease: LoadLease, ended: Ended) -> str:
    """Return what is left behind by a load that stored nothing: whose it was, and how it ended."""
    return f"{ended}:{lease.token}"


def ending(place: str, lease: LoadLease, ended: Ended) -> Command:
    """Return the command that tells who waits for a load that it ended and stored nothing; before the lock is free."""
    return ("SET", place, in_vain(lease, ended), "PX", round(TTL_S * 1000))


def extending(place: str, lease: LoadLease) -> Command:
    """Return the command that holds a lock for its whole time again; its answer is 1 if it was the caller's."""
    return ("EVAL", _EXTEND, 1, place, lease.token, round(TTL_S * 1000))


class LockWatchdog:
    """One thread that extends the locks this process holds, from a third of their time on.

    It starts with the first lock, and ends when none was held for a while: an idle process has none.

    Args:
        every_s: seconds between two extensions.
    """

    def __init__(self, every_s: float = TTL_S / 3) -> None:
        self._every_s = every_s
        self._start_empty()
        in_every_child(self._start_empty)

    def _start_empty(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[LoadLease, tuple[float, Callable[[LoadLease], bool], Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def keeping(
        self, lease: LoadLease, extend: Callable[[LoadLease], bool], lost: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Keep a lock extended for as long as the block runs.

        Args:
            lease: what is held; given back after the block, not within.
            extend: extends it and tells whether it still was the caller's; must not raise.
            lost: told that it was not. An extension that was under way when the block ended tells nothing: by its
                answer the lock may have been given back.
        """
        with self._changed:
            self._held[lease] = (time.monotonic() + self._every_s, extend, lost)
            if self._thread is None or not self._thread.is_alive():
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
                first = min(due for due, *_ in self._held.values())
                if (pause := first - time.monotonic()) > 0:
                    self._changed.wait(pause)
                due = [
                    (lease, extend, lost) for lease, (at, extend, lost) in self._held.items() if at <= time.monotonic()
                ]
            for each in due:
                self._extend(*each)

    def _extend(self, lease: LoadLease, extend: Callable[[LoadLease], bool], lost: Callable[[], None]) -> None:
        still_held = extend(lease)
        with self._changed:
            if lease in self._held:
                if still_held:
                    self._held[lease] = (time.monotonic() + self._every_s, extend, lost)
                else:
                    del self._held[lease]
                    lost()
