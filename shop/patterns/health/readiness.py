"""Whether this process can serve now.

Problem: one health check for two questions gets a whole fleet killed. "Restart me" and "send me no traffic" differ: a
database that is away is no reason to restart a web process, and restarting it helps nobody.
Method: liveness (``/livez``) touches nothing. Readiness (``/readyz``) asks each dependency, each in a thread of its own
and within a bound, and fails only for what the process cannot serve without. The outcome is kept for up to a second,
so a storm of probes costs the dependencies one question a second. A prober is not kept waiting for a dependency that
hangs: it is told the outcome before, while the question goes on, and the next one hears its end.
Source: Kubernetes' documentation, "Liveness, readiness and startup probes"; AWS Builders' Library, "Implementing health
checks".
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass

from shop.clock import Clock

CACHED_S = 1.0
"""Seconds an outcome is good for."""
TIMEOUT_S = 1.0
"""Seconds all checks together may take; a dependency that has not answered by then is away."""

MAX_WAIT_S = 0.06
"""Seconds a prober is kept waiting for an outcome: a probe is to be answered within 100 ms, whatever hangs."""
OUTDATED_S = CACHED_S + TIMEOUT_S
"""An outcome older than this is not told: while probers come often, the next one is there by then; one that comes
seldom waits for it, at most :data:`TIMEOUT_S`, and hears how things are and not how they were."""


class PartialService(Exception):
    """A dependency does a part of its work, which is enough to serve; the message says what it does not.

    Args:
        state: how it is then, in a word or two.
        detail: one sentence; it names no address.
    """

    def __init__(self, state: str, detail: str) -> None:
        super().__init__(detail)
        self.state = state


@dataclass(frozen=True, slots=True)
class HealthDependency:
    """One thing this process leans on.

    Args:
        name: as shown.
        required: whether the process cannot serve without it.
        check: returns when it is well; raises, with a sentence as the message, when it is not: :class:`Limitation`
            where the process can serve all the same.
    """

    name: str
    required: bool
    check: Callable[[], None]


@dataclass(frozen=True, slots=True)
class DependencyState:
    """How one dependency is."""

    required: bool
    fault: str = ""
    """Empty when the process can do with it as it is."""
    limitation: PartialService | None = None

    def to_json(self) -> dict[str, object]:
        """Return what the document says of it."""
        state = "away" if self.fault else self.limitation.state if self.limitation else "ok"
        return {"state": state, "required": self.required, "detail": self.fault or str(self.limitation or "")}


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How all of them are."""

    states: dict[str, DependencyState]
    stopping: bool = False

    @property
    def ready(self) -> bool:
        """Tell whether the process can serve."""
        return not self.stopping and not any(state.required and state.fault for state in self.states.values())

    def to_json(self) -> dict[str, object]:
        """Return the document ``/readyz`` answers with."""
        return {
            "status": "stopping" if self.stopping else "ready" if self.ready else "not ready",
            "dependencies": {name: state.to_json() for name, state in self.states.items()},
        }


class ReadinessCheck:
    """Asks the dependencies, at most once a second.

    Args:
        dependencies: what to ask.
        clock: tells how old an outcome is.
        bound_s: seconds all checks together may take.
    """

    def __init__(self, dependencies: Sequence[HealthDependency], clock: Clock, bound_s: float = TIMEOUT_S) -> None:
        self._dependencies = dependencies
        self._clock = clock
        self._bound_s = bound_s
        # A thread each, so that one that hangs holds up no other, and one for the round that asks them all.
        self._pool = ThreadPoolExecutor(max_workers=len(dependencies) + 1, thread_name_prefix="readiness")
        self._running: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self._states: dict[str, DependencyState] = {}
        self._good_until = 0.0
        self._round_lock = threading.Lock()
        self._round: Future[HealthReport] | None = None
        self._round_began = 0.0
        self._stopping = False

    def report(self) -> HealthReport:
        """Return how the dependencies are, no older than a second."""
        with self._lock:
            if not self._states or self._clock.monotonic() >= self._good_until:
                self._states = self._ask()
                self._good_until = self._clock.monotonic() + CACHED_S
            return HealthReport(dict(self._states), self._stopping)

    def latest(self, patience_s: float = MAX_WAIT_S) -> HealthReport:
        """Return how the dependencies are, without waiting long for one that hangs.

        Args:
            patience_s: seconds, from the start of the question under way, after which the outcome before it is told.

        Returns:
            What :meth:`report` returns, or, while that takes longer, what it returned before, if that is not outdated.
        """
        with self._round_lock:
            now = self._clock.monotonic()
            if now < self._good_until:
                return HealthReport(dict(self._states), self._stopping)
            if self._round is None or self._round.done():
                self._round, self._round_began = self._pool.submit(self.report), now
            asked, left_s = self._round, max(0.0, self._round_began + patience_s - now)
            outdated = not self._states or now >= self._good_until - CACHED_S + OUTDATED_S
        try:
            return asked.result(timeout=None if outdated else left_s)
        except TookTooLong:
            return HealthReport(dict(self._states), self._stopping)

    def stop_taking_traffic(self) -> None:
        """Answer "not ready" from now on: the process is about to stop, and balancers should know before it does."""
        self._stopping = True

    def close(self) -> None:
        """Let the threads end once the checks under way have."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self) -> dict[str, DependencyState]:
        deadline = self._clock.monotonic() + self._bound_s
        for dependency in self._dependencies:
            running = self._running.get(dependency.name)
            if running is None or running.done():  # one that still hangs is not asked twice
                self._running[dependency.name] = self._pool.submit(dependency.check)
        return {
            dependency.name: self._state(dependency.required, self._running[dependency.name], deadline)
            for dependency in self._dependencies
        }

    def _state(self, required: bool, running: "Future[None]", deadline: float) -> DependencyState:  # noqa: FBT001 - as State
        try:
            running.result(timeout=max(0.0, deadline - self._clock.monotonic()))
        except TookTooLong:
            return DependencyState(required, f"no answer within {self._bound_s:g} s")
        except PartialService as limitation:
            return DependencyState(required, limitation=limitation)
        except Exception as error:  # noqa: BLE001 - whatever a client library raises, the dependency is not well
            return DependencyState(required, str(error).partition("\n")[0] or type(error).__name__)
        return DependencyState(required)
