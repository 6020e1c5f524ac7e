"""Readiness: whether this process can serve requests now.

Problem: one health check for two questions can restart every process at once. "Restart this process" and "send it no
requests" are different answers: if the database is down, the restart of a web process does not help.
Method: liveness (``/livez``) checks no dependency. Readiness (``/readyz``) checks each dependency in its own thread,
with a timeout, and fails only if a required dependency is down. The outcome is cached for a second, so many probes cost
the dependencies one check a second. A probe does not wait for a dependency that hangs: it gets the last outcome while
the check continues, and a later probe gets the new one.
Source: Kubernetes' documentation, "Liveness, readiness and startup probes"; AWS Builders' Library, "Implementing health
checks".
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from shop.clock import Clock

CACHED_S = 1.0
"""Seconds that an outcome is cached."""
TIMEOUT_S = 1.0
"""Seconds that all checks together may take; a dependency that has not answered by then is down."""
MAX_WAIT_S = 0.06
"""Seconds that a probe waits for the outcome: each probe is answered within 100 ms, even if a dependency hangs."""
OUTDATED_S = CACHED_S + TIMEOUT_S
"""Seconds after which an outcome is no longer returned. With frequent probes a new outcome exists by then. With rare
probes, the probe waits for the new outcome, at most :data:`TIMEOUT_S`."""


class PartialService(Exception):
    """A dependency does a part of its work, which is enough to serve; the message names the missing part.

    Args:
        state: its state, in one or two words.
        detail: one sentence, without an address.
    """

    def __init__(self, state: str, detail: str) -> None:
        super().__init__(detail)
        self.state = state


@dataclass(frozen=True, slots=True)
class HealthDependency:
    """A server or a part that this process depends on.

    Args:
        name: its name in the report.
        required: whether the process cannot serve without it.
        check: returns if it is healthy; otherwise raises an exception with a sentence as its message, a
            :class:`PartialService` if the process can serve nevertheless.
    """

    name: str
    required: bool
    check: Callable[[], None]


@dataclass(frozen=True, slots=True)
class DependencyState:
    """The state of one dependency."""

    required: bool
    fault: str = ""
    """Empty if the process can use the dependency."""
    limitation: PartialService | None = None

    def to_json(self) -> dict[str, object]:
        """Return its part of the document."""
        state = "away" if self.fault else self.limitation.state if self.limitation else "ok"
        return {"state": state, "required": self.required, "detail": self.fault or str(self.limitation or "")}


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The states of all dependencies."""

    states: dict[str, DependencyState]
    stopping: bool = False

    @property
    def ready(self) -> bool:
        """Return whether the process can serve."""
        return not self.stopping and not any(state.required and state.fault for state in self.states.values())

    def to_json(self) -> dict[str, object]:
        """Return the document that ``/readyz`` sends."""
        return {
            "status": "stopping" if self.stopping else "ready" if self.ready else "not ready",
            "dependencies": {name: state.to_json() for name, state in self.states.items()},
        }


class ReadinessCheck:
    """Checks the dependencies, at most once a second.

    Args:
        dependencies: the dependencies.
        clock: measures the age of an outcome.
        timeout_s: seconds that all checks together may take.
    """

    def __init__(self, dependencies: Sequence[HealthDependency], clock: Clock, timeout_s: float = TIMEOUT_S) -> None:
        self.dependencies = dependencies
        self._clock = clock
        self._timeout_s = timeout_s
        # One thread for each check, so that none waits for another, and one for the round of all checks.
        self._pool = ThreadPoolExecutor(max_workers=len(dependencies) + 1, thread_name_prefix="readiness")
        self._running: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self._states: dict[str, DependencyState] = {}
        self._cached_until = 0.0
        self._round_lock = threading.Lock()
        self._round: Future[HealthReport] | None = None
        self._round_began = 0.0
        self._stopping = False

    def report(self) -> HealthReport:
        """Return the states of the dependencies, no older than a second."""
        with self._lock:
            if not self._states or self._clock.monotonic() >= self._cached_until:
                deadline = self._clock.monotonic() + self._timeout_s
                for dependency in self.dependencies:
                    running = self._running.get(dependency.name)
                    if running is None or running.done():  # a check that still hangs is not started again
                        self._running[dependency.name] = self._pool.submit(dependency.check)
                self._states = {
                    dependency.name: self._wait_for(dependency, deadline) for dependency in self.dependencies
                }
                self._cached_until = self._clock.monotonic() + CACHED_S
            return HealthReport(dict(self._states), self._stopping)

    def latest(self, max_wait_s: float = MAX_WAIT_S) -> HealthReport:
        """Return the states of the dependencies, without a long wait for one that hangs.

        Args:
            max_wait_s: seconds since the start of the present round after which the last outcome is returned.

        Returns:
            The outcome of :meth:`report`; the last outcome if the round takes longer and the last one is not outdated.
        """
        with self._round_lock:
            now = self._clock.monotonic()
            if now < self._cached_until:
                return HealthReport(dict(self._states), self._stopping)
            if self._round is None or self._round.done():
                self._round, self._round_began = self._pool.submit(self.report), now
            present_round, left_s = self._round, max(0.0, self._round_began + max_wait_s - now)
            is_outdated = not self._states or now >= self._cached_until - CACHED_S + OUTDATED_S
        try:
            return present_round.result(timeout=None if is_outdated else left_s)
        except TimeoutError:
            return HealthReport(dict(self._states), self._stopping)

    def stop_taking_traffic(self) -> None:
        """Report "not ready" from now on: the process will stop soon, and load balancers must know before."""
        self._stopping = True

    def close(self) -> None:
        """Let the threads end after the checks in progress."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _wait_for(self, dependency: HealthDependency, deadline: float) -> DependencyState:
        required = dependency.required
        try:
            self._running[dependency.name].result(timeout=max(0.0, deadline - self._clock.monotonic()))
        except TimeoutError:
            return DependencyState(required, f"no answer within {self._timeout_s:g} s")
        except PartialService as limitation:
            return DependencyState(required, limitation=limitation)
        except Exception as error:  # noqa: BLE001 - any error of a client library is a fault of the dependency
            return DependencyState(required, str(error).partition("\n")[0] or type(error).__name__)
        return DependencyState(required)
