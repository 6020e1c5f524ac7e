"""Circuit breaker: not calling what will not answer.

Problem: a dependency that fails slowly takes a thread from every request that asks it. Soon no thread is left for
those that do not need it at all.
Method: judge the calls of the last seconds by two rates, failures and slow ones, once there are enough of them to
judge by; counts alone would open at the same number of failures in a thousand calls as in ten. Open, every call is
refused at once. After a pause a few probes are let through, and they decide whether it closes or opens again.
Switch: ``payments.breaker``. Experiment: ``slow-payments``.
Source: Nygard, "Release It!" (2nd ed., 2018), ch. 5; Resilience4j's documentation, "CircuitBreaker", for the rates.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from shop.clock import Clock
from shop.patterns.resilience.events import BreakerChanged, Emit, ignore
from shop.patterns.resilience.window import CallCounts, SlidingWindow

T = TypeVar("T")
Judge = Callable[[Exception], bool | None]
"""Tells of an error whether it counts as the dependency's failure; ``None`` where it says nothing about it at all."""


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitOpen(Exception):
    """The call was not made."""


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """When to open and when to close.

    Args:
        slow_s: a call that takes longer is slow, whatever it answers.
        min_calls: fewer calls in the window are not judged.
        open_s: seconds from opening to the first probe.
        failure_rate: share of failures that opens it, 0 to 1.
        slow_rate: share of slow calls that opens it, 0 to 1.
        window_s: seconds that are looked back on.
        probes: calls let through half-open, which decide.
    """

    slow_s: float
    min_calls: int = 10
    open_s: float = 5.0
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    window_s: float = 10.0
    probes: int = 3

    def broken(self, counts: CallCounts, calls: int) -> bool:
        """Tell whether so many failures or slow ones are too many for that number of calls."""
        return counts.failures >= self.failure_rate * calls or counts.slow >= self.slow_rate * calls


class DependencyBreaker(Protocol):
    """Stands in front of calls to one dependency."""

    def call(self, work: Callable[[], T], judge: Judge) -> T:
        """Make the call, or do not.

        Args:
            work: the call.
            judge: tells which errors count.

        Raises:
            CircuitOpen: it was not made.
        """


class CircuitBreaker:
    """The breaker of one dependency in one process.

    Args:
        dependency: whom the calls go to, for those who listen.
        rules: when it opens and closes.
        clock: measures calls and pauses.
        emit: told of each change of state.
    """

    def __init__(self, dependency: str, rules: BreakerConfig, clock: Clock, emit: Emit = ignore) -> None:
        self._dependency = dependency
        self._rules = rules
        self._clock = clock
        self._emit = emit
        self._lock = threading.Lock()
        self._window = SlidingWindow(rules.window_s)
        self._state = BreakerState.CLOSED
        self._until = 0.0
        self._era = 0
        """Grows with each change: a call that began in another era says nothing about this one."""
        self._permits = 0
        self._probed = CallCounts()

    @property
    def state(self) -> BreakerState:
        """Return where it stands; an open one whose pause is over still says so until somebody asks it."""
        return self._state

    def call(self, work: Callable[[], T], judge: Judge) -> T:
        """See :class:`Breaker`."""
        era = self._admit()
        started = self._clock.monotonic()
        failed: bool | None = None  # also for what is no Exception, such as a thread told to stop: it proves nothing
        try:
            result = work()
            failed = False
        except Exception as error:
            failed = judge(error)
            raise
        finally:
            self._ended(era, self._clock.monotonic() - started, failed)
        return result

    def _admit(self) -> int:
        with self._lock:
            now = self._clock.monotonic()
            changed = None
            if self._state is not BreakerState.CLOSED and now >= self._until and not self._has_permits():
                changed = self._half_open(now)
            if not self._has_permits():
                raise CircuitOpen
            if self._state is BreakerState.HALF_OPEN:
                self._permits -= 1
            era = self._era
        self._tell(changed)
        return era

    def _has_permits(self) -> bool:
        return self._state is BreakerState.CLOSED or (self._state is BreakerState.HALF_OPEN and self._permits > 0)

    def _half_open(self, now: float) -> BreakerChanged | None:
        """Begin a round of probes; another one, if those of the last round have not come back in all this time."""
        before, self._state = self._state, BreakerState.HALF_OPEN
        self._era += 1
        self._until = now + self._rules.open_s
        self._permits, self._probed = self._rules.probes, CallCounts()
        return (
            None if before is BreakerState.HALF_OPEN else BreakerChanged(self._dependency, before, self._state, 0, 0, 0)
        )

    def _ended(self, era: int, seconds: float, failed: bool | None) -> None:  # noqa: FBT001 - three-valued
        changed = None
        with self._lock:
            if era != self._era:
                return
            if failed is None:
                self._permits += self._state is BreakerState.HALF_OPEN
                return
            slow = seconds >= self._rules.slow_s
            if self._state is BreakerState.HALF_OPEN:
                self._probed.add(failed=failed, slow=slow)
                changed = self._decide_by_probes()
            else:
                now = self._clock.monotonic()
                self._window.add(now, failed=failed, slow=slow)
                seen = self._window.totals(now)
                if seen.calls >= self._rules.min_calls and self._rules.broken(seen, seen.calls):
                    changed = self._turn(BreakerState.OPEN, seen)
        self._tell(changed)

    def _decide_by_probes(self) -> BreakerChanged | None:
        if self._rules.broken(self._probed, self._rules.probes):
            return self._turn(BreakerState.OPEN, self._probed)
        if self._probed.calls == self._rules.probes:
            return self._turn(BreakerState.CLOSED, self._probed)
        return None

    def _turn(self, after: BreakerState, seen: CallCounts) -> BreakerChanged:
        before, self._state = self._state, after
        self._era += 1
        self._until = self._clock.monotonic() + self._rules.open_s
        self._window.clear()
        return BreakerChanged(self._dependency, before, after, seen.calls, seen.failure_rate, seen.slow_rate)

    def _tell(self, changed: BreakerChanged | None) -> None:
        """Emit outside the lock: a listener may be slow, or call in again."""
        if changed is not None:
            self._emit(changed)


class NoBreaker:
    """The variant without a breaker: every call is made."""

    def call(self, work: Callable[[], T], judge: Judge) -> T:
        """See :class:`Breaker`."""
        return work()
