"""Open loop and closed loop: two ways to offer load, with different results.

Problem: a client that waits for each response before its next request slows down together with a slow server. The
requests that it did not send are missing from its percentiles: coordinated omission.
Method: open loop. A pacer releases requests by a schedule that does not depend on the responses, and each latency
counts from the time at which the request was due. The closed loop measures the highest throughput of the server.
Source: Gil Tene, "How NOT to Measure Latency" (2015); Schroeder, Wierman, Harchol-Balter, "Open Versus Closed: A
Cautionary Tale" (NSDI 2006).
"""

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.queue import Queue

Visit = Callable[[float], None]
"""One visit; its argument is the time at which it was due, on the clock of :func:`time.perf_counter`."""

DRAIN_S = 5.0
"""After the last arrival, unanswered requests get so many seconds."""


class LoadPace:
    """The progress of a load: visits offered, visits finished, and delays of the generator."""

    def __init__(self) -> None:
        self.offered = 0
        self.finished = 0
        self.lags_s: list[float] = []
        """How late each release was, in seconds; a delay of the generator, never of the server."""


def open_loop(
    due_times: Iterable[float],
    visit: Visit,
    *,
    concurrency: int,
    drain_s: float = DRAIN_S,
    pace: LoadPace | None = None,
) -> LoadPace:
    """Start one visit at each due time, whether or not earlier visits have ended.

    At most ``concurrency`` visits run at a time. If all are busy, a due visit waits, and that wait is part of its
    latency.

    Args:
        due_times: seconds from now, rising.
        visit: called with the time at which the visit was due.
        concurrency: most visits at a time.
        drain_s: seconds for the running visits after the last due time; then the rest counts as unanswered.
        pace: updated during the load, for a caller that reads it before the end.
    """
    queue: Queue[float] = Queue()
    pace = pace or LoadPace()

    def serve() -> None:
        while True:
            visit(queue.get())
            pace.finished += 1

    workers = [gevent.spawn(serve) for _ in range(concurrency)]
    try:
        _release(due_times, queue, pace)
        deadline = time.perf_counter() + drain_s
        while pace.finished != pace.offered and time.perf_counter() < deadline:
            gevent.sleep(0.005)
    finally:
        gevent.killall(workers)
    return pace


def closed_loop(
    duration_s: float,
    visit: Visit,
    *,
    clients: int,
    drain_s: float = DRAIN_S,
    think: Callable[[], float] | None = None,
    every_s: float = 0.0,
) -> LoadPace:
    """Let each client start its next visit when its last one has ended, for ``duration_s`` seconds.

    Args:
        duration_s: length of the load.
        visit: called with the time at which the visit began.
        clients: number of clients.
        drain_s: seconds for the running visits at the end.
        think: returns the pause of a client before each visit, in seconds; no pause by default.
        every_s: the least time between the begins of two visits of a client, also if the response comes sooner.
    """
    pace = LoadPace()
    end = time.perf_counter() + duration_s

    def loop() -> None:
        next_at = time.perf_counter()
        while (now := time.perf_counter()) < end:
            if think is not None:
                gevent.sleep(think())
            elif now < next_at:
                gevent.sleep(next_at - now)
            next_at = max(next_at, now) + every_s
            once()

    def once() -> None:
        if (now := time.perf_counter()) < end:
            pace.offered += 1
            visit(now)
            pace.finished += 1

    workers = [gevent.spawn(loop) for _ in range(clients)]
    gevent.joinall(workers, timeout=duration_s + drain_s)
    gevent.killall(workers)
    return pace


def _release(due_times: Iterable[float], queue: "Queue[float]", pace: LoadPace) -> None:
    begin = time.perf_counter()
    for due_s in due_times:
        due = begin + due_s
        while (early := due - time.perf_counter()) > 0:
            gevent.sleep(early)  # it may wake early: gevent counts from the begin of its loop iteration
        pace.lags_s.append(time.perf_counter() - due)
        pace.offered += 1
        queue.put(due)
