"""Circuit breaker: no calls to a dependency that fails.

Problem: a dependency that fails slowly holds a thread of every request that calls it. Soon no thread is left for
requests that do not need it.
Method: the breaker compares two rates of the last seconds with limits: the share of failed calls and the share of slow
calls. It waits for a minimum number of calls, and uses rates because five failures mean something else in a thousand
calls than in ten. While the breaker is open, every call is refused at once. After a pause it is half-open: a few calls
(probes) are made, and their outcomes close it or open it again.
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
from shop.patterns.resilience.sliding_window import CallCounts, SlidingWindow

T = TypeVar("T")
IsFailure = Callable[[Exception], bool | None]
"""Returns whether an error is a failure of the dependency; ``None`` if the error says nothing about the dependency."""


class BreakerState(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitOpen(Exception):
    """The breaker is open, so the call was not made."""


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """When a breaker opens and closes.

    Args:
        slow_s: a call that takes at least so many seconds is slow, even if it succeeds.
        min_calls: with fewer calls in the window the breaker stays closed.
        open_s: seconds from opening to the first probe.
        failure_rate: share of failed calls that opens the breaker, 0 to 1.
        slow_rate: share of slow calls that opens the breaker, 0 to 1.
        window_s: length of the window, in seconds.
        probes: number of calls that are made while the breaker is half-open.
    """

    slow_s: float
    min_calls: int = 10
    open_s: float = 5.0
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    window_s: float = 10.0
    probes: int = 3

    def is_exceeded(self, counts: CallCounts, calls: int) -> bool:
        """Return whether the failed or the slow calls reach their limit among ``calls`` calls."""
        return counts.failures >= self.failure_rate * calls or counts.slow >= self.slow_rate * calls


class DependencyBreaker(Protocol):
    """Makes or refuses the calls to one dependency."""

    def call(self, work: Callable[[], T], is_failure: IsFailure) -> T:
        """Make the call, or refuse it.

        Args:
            work: the call.
            is_failure: returns which errors count as failures.

        Raises:
            CircuitOpen: the call was refused.
        """


class CircuitBreaker:
    """The breaker of one dependency in one process.

    Args:
        dependency: its name, for the events.
        config: when the breaker opens and closes.
        clock: measures calls and pauses.
        emit: receives each change of state.
    """

    def __init__(self, dependency: str, config: BreakerConfig, clock: Clock, emit: Emit = ignore) -> None:
        self._dependency = dependency
        self._config = config
        self._clock = clock
        self._emit = emit
        self._lock = threading.Lock()
        self._window = SlidingWindow(config.window_s)
        self._state = BreakerState.CLOSED
        self._until = 0.0
        self._generation = 0
        """Grows with each change of state: a call that began in an earlier generation says nothing about this one."""
        self._permits = 0
        self._probed = CallCounts()

    @property
    def state(self) -> BreakerState:
        """Return the state. After the pause it stays ``OPEN`` until the next call."""
        return self._state

    def call(self, work: Callable[[], T], is_failure: IsFailure) -> T:
        """See :class:`DependencyBreaker`."""
        generation = self._acquire_permit()
        started = self._clock.monotonic()
        failed: bool | None = None  # for a BaseException, such as a stopped thread, too: it says nothing
        try:
            result = work()
            failed = False
        except Exception as error:
            failed = is_failure(error)
            raise
        finally:
            self._record_outcome(generation, self._clock.monotonic() - started, failed)
        return result

    def _acquire_permit(self) -> int:
        """Return the generation of the call; begin a round of probes after the pause.

        Another round begins if the probes of the last round have not ended within a pause.

        Raises:
            CircuitOpen: there is no permit.
        """
        changed = None
        with self._lock:
            is_pause_over = self._state is not BreakerState.CLOSED and self._clock.monotonic() >= self._until
            if is_pause_over and not self._has_permits():
                changed = self._change_state(BreakerState.HALF_OPEN, CallCounts())
                self._permits, self._probed = self._config.probes, CallCounts()
            if not self._has_permits():
                raise CircuitOpen
            if self._state is BreakerState.HALF_OPEN:
                self._permits -= 1
            generation = self._generation
        self._emit_change(changed)
        return generation

    def _has_permits(self) -> bool:
        return self._state is BreakerState.CLOSED or (self._state is BreakerState.HALF_OPEN and self._permits > 0)

    def _record_outcome(self, generation: int, seconds: float, failed: bool | None) -> None:  # noqa: FBT001 - three-valued
        config, changed = self._config, None
        with self._lock:
            if generation != self._generation:
                return
            if failed is None:
                self._permits += self._state is BreakerState.HALF_OPEN
                return
            slow = seconds >= config.slow_s
            if self._state is BreakerState.HALF_OPEN:
                self._probed.add(failed=failed, slow=slow)
                if config.is_exceeded(self._probed, config.probes):
                    changed = self._change_state(BreakerState.OPEN, self._probed)
                elif self._probed.calls == config.probes:
                    changed = self._change_state(BreakerState.CLOSED, self._probed)
            else:
                now = self._clock.monotonic()
                self._window.add(now, failed=failed, slow=slow)
                totals = self._window.totals(now)
                if totals.calls >= config.min_calls and config.is_exceeded(totals, totals.calls):
                    changed = self._change_state(BreakerState.OPEN, totals)
        self._emit_change(changed)

    def _change_state(self, after: BreakerState, counts: CallCounts) -> BreakerChanged:
        before, self._state = self._state, after
        self._generation += 1
        self._until = self._clock.monotonic() + self._config.open_s
        self._window.clear()
        return BreakerChanged(self._dependency, before, after, counts.calls, counts.failure_rate, counts.slow_rate)

    def _emit_change(self, changed: BreakerChanged | None) -> None:
        """Emit outside the lock: a subscriber may be slow, or call the dependency again."""
        if changed is not None and changed.before != changed.after:
            self._emit(changed)


class NoBreaker:
    """The variant without a breaker: every call is made."""

    def call(self, work: Callable[[], T], is_failure: IsFailure) -> T:
        """See :class:`DependencyBreaker`."""
        return work()
