"""Waking who waits for another process: the fill is announced on the broadcast channel, and the listener passes it on.

A broadcast may be lost, and a holder that died announces nothing. So a wake-up only shortens the wait: who waits looks
at the shared level again after a while in any case. That is one thread a process and key; the others wait for it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shop.patterns.caching.after_fork import in_every_child

RECHECK_HEARING_S = 0.5
"""Seconds after which a waiter looks by itself: a dead holder's lock is found free this much late, at most."""
RECHECK_DEAF_S = 0.05
"""The same while broadcasts are not heard: looking is then all there is."""


class FillWaiters:
    """Who waits for what in this process."""

    def __init__(self) -> None:
        self._start_empty()
        in_every_child(self._start_empty)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._waiters: dict[str, list[threading.Event]] = {}
        self._hears = False

    @property
    def recheck_s(self) -> float:
        """Return how long to wait for a wake-up before looking."""
        return RECHECK_HEARING_S if self._hears else RECHECK_DEAF_S

    @contextmanager
    def expecting(self, name: str) -> Iterator[threading.Event]:
        """Offer an event that is set at each wake-up under ``name``; begin before looking, so that none is missed."""
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

    def wake(self, name: str) -> None:
        """Wake who waits for ``name``."""
        if name not in self._waiters:  # most fills are waited for by nobody here
            return
        with self._lock:
            for woken in self._waiters.get(name, ()):
                woken.set()

    def hears(self, *, broadcasts: bool) -> None:
        """Note whether wake-ups can be heard; have everybody look when that changes."""
        self._hears = broadcasts
        with self._lock:
            for waiters in self._waiters.values():
                for woken in waiters:
                    woken.set()
