"""The queue of one process: what waits for a thread, who goes next, and who is refused.

Problem: without a bound the queue of a web server is its backlog, its open connections and the list in its pool of
threads. Nobody sees how long it is, and everything in it is served, however late.
Method: one queue before a thread is taken, bounded in length and in time. A request is refused when it arrives and the
queue is full, or when its turn comes after its patience. With classes (``request_priority``), each class has a queue of
its own; the best class is served first, and a lower one finds the queue full earlier. If the queue is full of others,
a better request takes the place of the newest one of the lowest class. A checkout may wait to the longest time in any
discipline: its client waits for an answer, and asking again costs more than the wait. Nor does it count against the
limit of requests at once: it waits for the payments provider, and not for this machine. Log-ins have the last turn, and
the same patience: limits of their own stand behind the queue, and tell a client that it asked too often. A request that
has run for a second does not count either: it waits for a lock or a server that hangs, and must not keep others from
their thread.
A thread is woken only if it may take something: the loop that fills the queue shares the interpreter with the threads,
and each needless one delays it.
If the threads are divided into lanes (``lanes``), each set of lanes has its own part of the queue, and its requests
wait for a thread of these lanes only. A request that hangs keeps its lane's thread.
Switches: ``overload.shedding``, ``overload.queue``, ``overload.lanes``. Experiments: ``overload``,
``shuffle-sharding``.
Source: Google, "Site Reliability Engineering", ch. 21 and 22; Netflix, "Prioritized Load Shedding" (2020).
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from shop.patterns.overload.concurrency_limit import ConcurrencyLimit, FixedLimit
from shop.patterns.overload.lanes import SHARED, LaneNumbers, LaneOccupancy, LanePlan
from shop.patterns.overload.queue_discipline import FifoDiscipline, QueueDiscipline
from shop.patterns.overload.request_priority import RequestPriority

Work = TypeVar("Work")
RefusalReason = Literal["full", "waited"]
SHARES: Mapping[RequestPriority, float] = {
    RequestPriority.CHECKOUT: 1.0,
    RequestPriority.CART: 0.9,
    RequestPriority.SIGNED_IN: 0.75,
    RequestPriority.BROWSE: 0.5,
    RequestPriority.PASSWORD: 0.5,
    RequestPriority.SPECULATIVE: 0.05,
}
"""Of the queue's length: a class is refused from here on."""
PATIENT = frozenset({RequestPriority.CHECKOUT, RequestPriority.PASSWORD})
"""Classes that may wait for the longest time, and run beside the limit."""
STUCK_S = 1.0
"""Seconds after which a running request does not count against the limit any more."""


@dataclass(slots=True)
class WaitingRequest(Generic[Work]):
    """One request in the queue.

    Args:
        work: what the caller put in.
        priority: its class.
        arrived_at: on the queue's clock, in seconds.
        lanes: it may run in these; empty for any thread.
        lane: the one it runs in.
    """

    work: Work
    priority: RequestPriority
    arrived_at: float
    lanes: LaneNumbers = ()
    lane: int | None = None


@dataclass(frozen=True)
class AdmissionPolicy:
    """The rules of a queue; new ones apply to what arrives or leaves after them.

    Args:
        length: requests that may wait.
        longest_wait_s: seconds that any of them may wait.
        limit: how many run at once.
        discipline: makes the rule of one queue, from the longest wait.
        has_classes: whether requests differ.
        lanes: how the threads are divided.
    """

    length: int
    longest_wait_s: float
    limit: ConcurrencyLimit
    discipline: Callable[[float], QueueDiscipline] = FifoDiscipline
    has_classes: bool = True
    lanes: LanePlan = SHARED
    _rules: dict[tuple[RequestPriority, LaneNumbers], QueueDiscipline] = field(default_factory=dict, init=False)

    def rule(self, priority: RequestPriority, lanes: LaneNumbers) -> QueueDiscipline:
        """Return the rule of one queue: a lane that is stuck must not shorten the patience of another."""
        rule = self._rules.get((priority, lanes))
        if rule is None:
            patient = self.has_classes and priority in PATIENT
            rule = (FifoDiscipline if patient else self.discipline)(self.longest_wait_s)
            self._rules[priority, lanes] = rule
        return rule


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
        self._queues: dict[RequestPriority, dict[LaneNumbers, deque[WaitingRequest[Work]]]]
        self._queues = {one: {} for one in RequestPriority}  # no queue is empty
        self._waiting = 0
        self._occupancy = LaneOccupancy()
        self._started_at: dict[int, float] = {}  # by the request's identity; what runs and counts against the limit
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

    @property
    def full_lanes(self) -> int:
        """Return how many lanes have no free thread."""
        plan = self._policy.lanes
        return self._occupancy.count_full(plan.threads) if plan.is_divided else 0

    def apply(self, policy: AdmissionPolicy) -> None:
        """Follow new rules from now on."""
        with self._changed:
            self._policy = policy
            self._changed.notify_all()

    def offer(self, work: Work, priority: RequestPriority, lanes: LaneNumbers = ()) -> WaitingRequest[Work] | None:
        """Let a request wait.

        Args:
            work: returned with the request.
            priority: its class.
            lanes: the lanes of its client; empty for any thread.

        Returns:
            The request that is refused because the queue is full: this one, or one of a lower class. ``None`` if none
            is.
        """
        now = self._clock()
        with self._changed:
            policy = self._policy
            if not policy.has_classes:
                priority = RequestPriority.BROWSE
            request = WaitingRequest(work, priority, now, lanes)
            rule, waiting = policy.rule(priority, lanes), len(self._queues[priority].get(lanes, ()))
            if waiting >= rule.longest_queue(now, policy.limit.value):
                rule.note_late(now)
                return request
            room = policy.length * (SHARES[priority] if policy.has_classes else 1.0)
            refused = None
            if lanes and self._is_full(room * policy.lanes.share, self._waiting_for(lanes)):
                refused = self._give_up(priority, lanes)
            elif self._is_full(room, self._waiting):
                refused = self._give_up(priority)
            else:
                self._append(request, now)
                return None
            if refused is None:
                return request
            self._append(request, now)
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
                request = self.poll(late)
                if request is not None:
                    if self._waiting:
                        self._changed.notify()
                    return request
                timeout_s = self._until_stuck_s(self._clock()) if self._waiting else None
                self._watchers += timeout_s is not None
                self._changed.wait(timeout_s)
                self._watchers -= timeout_s is not None

    def poll(self, late: Callable[[WaitingRequest[Work]], None]) -> WaitingRequest[Work] | None:
        """Return the next request as :meth:`take`, without waiting; ``None`` if none may run now."""
        now = self._clock()
        with self._changed:
            request = self._next(now, late)
            if request is not None and request.priority not in PATIENT:
                self._started_at[id(request)] = now
            return request

    def done(self, request: WaitingRequest[Work], service_s: float) -> None:
        """Note that a request has ended.

        Args:
            request: what :meth:`take` returned.
            service_s: seconds since then.
        """
        counts = request.priority not in PATIENT
        if not counts and request.lane is None:
            return
        with self._changed:
            if request.lane is not None:
                self._occupancy.leave(request.lane)
            if counts:
                running = max(1, self._running(self._clock()))
                self._policy.limit.observe(min(service_s, STUCK_S), running)
                del self._started_at[id(request)]

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

    def _running(self, now: float) -> int:
        return sum(now - started_at < STUCK_S for started_at in self._started_at.values())

    def _is_at_limit(self, now: float) -> bool:
        return self._running(now) >= self._policy.limit.value

    def _until_stuck_s(self, now: float) -> float | None:
        """Return the seconds until a running request no longer counts; ``None`` if none counts."""
        counted = [started_at for started_at in self._started_at.values() if now - started_at < STUCK_S]
        return min(counted) + STUCK_S - now if counted else None

    def _waiting_for(self, lanes: LaneNumbers) -> int:
        return sum(len(queues[lanes]) for queues in self._queues.values() if lanes in queues)

    @staticmethod
    def _is_full(room: float, waiting: int) -> bool:
        return 0 < waiting >= room  # an empty queue has room for one

    def _append(self, request: WaitingRequest[Work], now: float) -> None:
        queues = self._queues[request.priority]
        queue = queues.get(request.lanes)
        if queue is None:
            queue = queues[request.lanes] = deque()
            self._policy.rule(request.priority, request.lanes).note_empty(request.arrived_at)
        queue.append(request)
        self._waiting += 1
        if request.priority in PATIENT or not self._is_at_limit(now) or not self._watchers:
            self._changed.notify()

    def _give_up(self, priority: RequestPriority, lanes: LaneNumbers | None = None) -> WaitingRequest[Work] | None:
        """Remove the newest request of the lowest class, if that is lower than a class; of some lanes, or of all."""
        for lower in reversed(RequestPriority):
            if lower <= priority:
                break
            queues = self._queues[lower]
            found = [queue for name, queue in queues.items() if lanes is None or name == lanes]
            if found:
                return self._remove(max(found, key=lambda queue: queue[-1].arrived_at), is_newest=True)
        return None

    def _remove(self, queue: deque[WaitingRequest[Work]], *, is_newest: bool) -> WaitingRequest[Work]:
        request = queue.pop() if is_newest else queue.popleft()
        self._waiting -= 1
        if not queue:
            del self._queues[request.priority][request.lanes]
        return request

    def _next(self, now: float, late: Callable[[WaitingRequest[Work]], None]) -> WaitingRequest[Work] | None:
        self._drop_late(now, late)
        is_at_limit = self._is_at_limit(now)
        for priority, queues in self._queues.items():
            if not queues or (is_at_limit and priority not in PATIENT):
                continue
            free = [queue for lanes, queue in queues.items() if self._is_free(lanes)]
            if free:
                queue = min(free, key=lambda queue: queue[0].arrived_at)
                rule = self._policy.rule(priority, queue[0].lanes)
                return self._enter(self._remove(queue, is_newest=rule.serves_newest(now)))
        return None

    def _is_free(self, lanes: LaneNumbers) -> bool:
        plan = self._policy.lanes
        return not (lanes and plan.is_divided) or self._occupancy.find_free(lanes, plan.threads) is not None

    def _enter(self, request: WaitingRequest[Work]) -> WaitingRequest[Work]:
        plan = self._policy.lanes
        if request.lanes and plan.is_divided:
            request.lane = self._occupancy.find_free(request.lanes, plan.threads)
            if request.lane is not None:
                self._occupancy.enter(request.lane)
        return request

    def _drop_late(self, now: float, late: Callable[[WaitingRequest[Work]], None]) -> None:
        for priority, queues in self._queues.items():
            if not queues:
                continue
            for lanes, queue in tuple(queues.items()):
                rule = self._policy.rule(priority, lanes)
                oldest_arrival = now - rule.patience_s(now)
                while queue and queue[0].arrived_at < oldest_arrival:
                    rule.note_late(now)
                    late(self._remove(queue, is_newest=False))
