"""The queue of one process: what waits for a thread, who goes next, and who is refused.

Problem: without a bound the queue of a web server is its backlog, its open connections and the list in its pool of
threads. Nobody sees how long it is, and everything in it is served, however late.
Method: one queue before a thread is taken, bounded in length and in time. A request is refused when it arrives and the
queue is full, or when its turn comes after its patience. With classes (``request_priority``), each class has a queue of
its own; the best class is served first, and a lower one finds the queue full earlier. If the queue is full of others,
a better request takes the place of the newest one of the lowest class. A checkout may wait to the longest time in any
discipline: its client waits for an answer, and asking again costs more than the wait. Checkouts run beside the others,
as many at once: they wait for the payments provider, and not only for this machine. A request that has run for a second
counts no longer: it waits for a lock or a server that hangs, and must not keep others from their thread.
A wait before this queue counts as well: under overload a request waits for the loop that puts it here, because the loop
shares the interpreter with the request threads. So whoever is refused is refused early: then threads rest, and the loop
catches up. A thread is woken only if it may take something; each needless one would delay the loop again.
Switches: ``overload.shedding``, ``overload.queue``. Experiment: ``overload``.
Source: Google, "Site Reliability Engineering", ch. 21 and 22; Netflix, "Prioritized Load Shedding" (2020).
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from shop.patterns.overload.concurrency_limit import ConcurrencyLimit, FixedLimit
from shop.patterns.overload.queue_discipline import FifoDiscipline, QueueDiscipline
from shop.patterns.overload.request_priority import RequestPriority

Work = TypeVar("Work")
RefusalReason = Literal["full", "waited"]
SHARES: Mapping[RequestPriority, float] = {
    RequestPriority.CHECKOUT: 1.0,
    RequestPriority.CART: 0.9,
    RequestPriority.SIGNED_IN: 0.75,
    RequestPriority.BROWSE: 0.5,
    RequestPriority.SPECULATIVE: 0.05,
}
"""Of the queue's length: a class is refused from here on."""
PATIENT = frozenset({RequestPriority.CHECKOUT})
"""Classes that may wait for the longest time, and have a limit of their own."""
PATIENT_LIMIT = 4
"""The lowest limit of the patient, half the threads: they wait for the payments provider while others compute."""
STUCK_S = 1.0
"""Seconds after which a running request does not count against the limit any more."""


@dataclass(slots=True)
class WaitingRequest(Generic[Work]):
    """One request in the queue.

    Args:
        work: what the caller put in.
        priority: its class.
        arrived_at: on the queue's clock, in seconds.
    """

    work: Work
    priority: RequestPriority
    arrived_at: float


@dataclass(frozen=True)
class AdmissionPolicy:
    """The rules of a queue; new ones apply to what arrives or leaves after them.

    Args:
        length: requests that may wait.
        longest_wait_s: seconds that any of them may wait.
        limit: how many run at once.
        discipline: makes the rule of one queue, from the longest wait.
        has_classes: whether requests differ.
    """

    length: int
    longest_wait_s: float
    limit: ConcurrencyLimit
    discipline: Callable[[float], QueueDiscipline] = FifoDiscipline
    has_classes: bool = True
    rules: dict[RequestPriority, QueueDiscipline] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for priority in RequestPriority:
            patient = self.has_classes and priority in PATIENT
            self.rules[priority] = (FifoDiscipline if patient else self.discipline)(self.longest_wait_s)


UNLIMITED = AdmissionPolicy(1_000_000, float("inf"), FixedLimit(1_000_000), has_classes=False)
"""The policy of a queue until it gets one."""


class RequestQueue(Generic[Work]):
    """What waits for a thread. All methods may be called from any thread.

    Args:
        clock: returns seconds, monotonic.
        policy: its first rules.
    """

    def __init__(self, clock: Callable[[], float], policy: AdmissionPolicy = UNLIMITED) -> None:
        self._clock = clock
        self._policy = policy
        self._changed = threading.Condition()
        self._queues: dict[RequestPriority, deque[WaitingRequest[Work]]] = {one: deque() for one in RequestPriority}
        self._waiting = 0
        self._started_at: dict[bool, dict[int, float]] = {False: {}, True: {}}  # of patient ones; by identity
        self._watchers = 0  # threads that wake by themselves when a running request is stuck
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return self._waiting

    @property
    def limit(self) -> int:
        """Return how many requests may run at once."""
        return self._policy.limit.value

    def apply(self, policy: AdmissionPolicy) -> None:
        """Follow new rules from now on."""
        with self._changed:
            self._policy = policy
            self._changed.notify_all()

    def offer(self, work: Work, priority: RequestPriority, age_s: float = 0.0) -> WaitingRequest[Work] | None:
        """Let a request wait.

        Args:
            work: returned with the request.
            priority: its class.
            age_s: seconds that it has waited before, in the backlog or for the loop.

        Returns:
            The request that is refused because the queue is full or it came too late: this one, or one of a lower
            class. ``None`` if none is.
        """
        now = self._clock()
        with self._changed:
            policy = self._policy
            if not policy.has_classes:
                priority = RequestPriority.BROWSE
            request = WaitingRequest(work, priority, now - age_s)
            queue, rule = self._queues[priority], policy.rules[priority]
            if age_s > rule.patience_s(now) or len(queue) >= rule.longest_queue(now, policy.limit.value):
                rule.note_late(now)
                return request
            room = policy.length * (SHARES[priority] if policy.has_classes else 1.0)
            refused = None
            if self._waiting and self._waiting >= room:
                lowest = max((one for one in RequestPriority if self._queues[one]), default=priority)
                if lowest <= priority:
                    return request
                refused = self._queues[lowest].pop()
                self._waiting -= 1
            if not queue:
                rule.note_empty(request.arrived_at)
            queue.append(request)
            self._waiting += 1
            if not self._is_full(now, priority in PATIENT) or not self._watchers:
                self._changed.notify()
            return refused

    def take(self, late: Callable[[WaitingRequest[Work]], None]) -> WaitingRequest[Work] | None:
        """Wait for the next request to run; call :meth:`done` after it.

        Args:
            late: told of each request whose patience has ended; it is not to run.

        Returns:
            The request, or ``None`` when the queue is closed.
        """
        with self._changed:
            while True:
                if self._is_closed and not self._waiting:
                    return None
                now = self._clock()
                request = self._next(now, late)
                if request is not None:
                    self._started_at[request.priority in PATIENT][id(request)] = now
                    if self._waiting:
                        self._changed.notify()
                    return request
                timeout_s = self._until_stuck_s(now) if self._waiting else None
                self._watchers += timeout_s is not None
                self._changed.wait(timeout_s)
                self._watchers -= timeout_s is not None

    def done(self, request: WaitingRequest[Work], service_s: float) -> None:
        """Note that a request has ended.

        Args:
            request: what :meth:`take` returned.
            service_s: seconds since then.
        """
        is_patient = request.priority in PATIENT
        with self._changed:
            if not is_patient:
                self._policy.limit.observe(min(service_s, STUCK_S), max(1, self._running(self._clock(), is_patient)))
            del self._started_at[is_patient][id(request)]

    def expire(self, late: Callable[[WaitingRequest[Work]], None]) -> None:
        """Give up what has waited for its longest time while no thread came free; call it now and then."""
        if self._waiting:
            with self._changed:
                self._drop_late(self._clock(), late)

    def close(self) -> None:
        """Let :meth:`take` return ``None`` once nothing waits."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _running(self, now: float, is_patient: bool) -> int:  # noqa: FBT001 - one of two
        return sum(now - started_at < STUCK_S for started_at in self._started_at[is_patient].values())

    def _is_full(self, now: float, is_patient: bool) -> bool:  # noqa: FBT001
        limit = self._policy.limit.value
        return self._running(now, is_patient) >= (max(PATIENT_LIMIT, limit) if is_patient else limit)

    def _until_stuck_s(self, now: float) -> float | None:
        """Return the seconds until a running request no longer counts; ``None`` if none counts."""
        started = (started_at for running in self._started_at.values() for started_at in running.values())
        counted = [started_at for started_at in started if now - started_at < STUCK_S]
        return min(counted) + STUCK_S - now if counted else None

    def _next(self, now: float, late: Callable[[WaitingRequest[Work]], None]) -> WaitingRequest[Work] | None:
        self._drop_late(now, late)
        is_full = {is_patient: self._is_full(now, is_patient) for is_patient in self._started_at}
        for priority, queue in self._queues.items():
            if queue and not is_full[priority in PATIENT]:
                self._waiting -= 1
                return queue.pop() if self._policy.rules[priority].serves_newest(now) else queue.popleft()
        return None

    def _drop_late(self, now: float, late: Callable[[WaitingRequest[Work]], None]) -> None:
        for priority, queue in self._queues.items():
            if not queue:
                continue
            rule = self._policy.rules[priority]
            oldest_arrival = now - rule.patience_s(now)
            while queue and queue[0].arrived_at < oldest_arrival:
                rule.note_late(now)
                self._waiting -= 1
                late(queue.popleft())
