"""Single flight: of the threads that want the same value at once, one makes it and the others share its result.

Problem: eight threads of one process miss the same key in the same millisecond and run the same six queries.
Method: the first thread leads; a thread that comes while the work runs waits for its result, or its error. Nothing is
remembered afterwards: single flight is no cache. The name must contain all that the result depends on. Here it contains
the tag versions as well, so a reader that comes after an invalidation never joins a load that began before it.
Switch: ``cache.stampede``, ``lock`` and ``lock+early``.
Source: Go's ``golang.org/x/sync/singleflight``, for name and behaviour.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from shop.threads import reset_after_fork

T = TypeVar("T")


class WaitTimeout(Exception):
    """The leading thread has not finished within the time the caller had."""


class _FlightInProgress:
    """One piece of work that a thread is doing."""

    __slots__ = ("error", "finished", "result", "waiting")

    def __init__(self) -> None:
        self.finished = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.waiting = 0


class SingleFlight:
    """The work in progress in this process, by name."""

    def __init__(self) -> None:
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._in_progress: dict[Hashable, _FlightInProgress] = {}

    def waiting(self, name: Hashable) -> int | None:
        """Return how many threads share the work of that name; ``None`` if no thread does it."""
        flight = self._in_progress.get(name)
        return None if flight is None else flight.waiting

    def do(self, name: Hashable, work: Callable[[], T], max_wait_s: float) -> tuple[T, bool]:
        """Do the work, or wait for the thread that is doing it.

        Args:
            name: contains all that the result depends on.
            work: run by the first thread; its exception is raised in every waiting thread, too.
            max_wait_s: seconds to wait for another thread; 0 not to wait at all.

        Returns:
            The result, and whether the caller made it.

        Raises:
            WaitTimeout: the other thread was still working after ``max_wait_s``.
        """
        with self._lock:
            flight = self._in_progress.get(name)
            leads = flight is None
            if flight is None:
                flight = self._in_progress[name] = _FlightInProgress()
            else:
                flight.waiting += 1
        if not leads:
            if not flight.finished.wait(max_wait_s):
                raise WaitTimeout
            if flight.error is not None:
                raise flight.error
            result: T = flight.result
            return result, False
        try:
            result = flight.result = work()
            return result, True
        except BaseException as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._in_progress[name]
            flight.finished.set()
