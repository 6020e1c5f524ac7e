"""Single flight: of the threads that want the same value at once, one makes it and the others take it from there.

Problem: eight threads of one process miss the same key in the same millisecond and run the same six queries.
Method: the first to come leads; who comes while it works waits for its result, or its error. Nothing is remembered
afterwards: it is no cache. The name must say everything the result depends on. Here it names the tags' versions as
well, so that a reader who comes after an invalidation never joins a load that began before it.
Switch: ``cache.stampede``, ``lock`` and ``lock+early``.
Source: Go's ``golang.org/x/sync/singleflight``, for name and behaviour.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from shop.patterns.caching.after_fork import in_every_child

T = TypeVar("T")


class StillFlying(Exception):
    """The one who leads has not landed within the time the caller had."""


class _FlightInProgress:
    """One piece of work, under way."""

    __slots__ = ("error", "landed", "result")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None


class SingleFlight:
    """The work under way in this process, by name."""

    def __init__(self) -> None:
        self._start_empty()
        in_every_child(self._start_empty)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, _FlightInProgress] = {}

    def fly(self, name: Hashable, work: Callable[[], T], patience_s: float) -> tuple[T, bool]:
        """Do the work, or wait for the thread that is doing it.

        Args:
            name: says what the result depends on.
            work: is run by the first to come; what it raises reaches everybody who waits, once.
            patience_s: seconds to wait for another; 0 not to wait at all.

        Returns:
            The result, and whether the caller made it itself.

        Raises:
            StillFlying: the patience is over.
        """
        with self._lock:
            flight = self._under_way.get(name)
            leads = flight is None
            if flight is None:
                flight = self._under_way[name] = _FlightInProgress()
        if leads:
            return self._lead(name, flight, work), True
        if not flight.landed.wait(patience_s):
            raise StillFlying
        if flight.error is not None:
            raise flight.error
        result: T = flight.result
        return result, False

    def _lead(self, name: Hashable, flight: _FlightInProgress, work: Callable[[], T]) -> T:
        try:
            result = flight.result = work()
            return result
        except BaseException as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._under_way[name]
            flight.landed.set()
