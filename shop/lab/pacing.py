"""Two ways to offer load, and why they do not agree.

Problem: a client that waits for an answer before it asks again slows down together with a slow server, and the
requests it never sent are missing from its percentiles: coordinated omission.
Method: open loop. A pacer releases requests at the moments of a schedule that does not know of the answers, and each
latency counts from the moment the request was due. The closed loop stands beside it, for the most a server can do.
Source: Gil Tene, "How NOT to Measure Latency" (2015); Schroeder, Wierman, Harchol-Balter, "Open Versus Closed: A
Cautionary Tale" (NSDI 2006).
"""

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.queue import Queue

Visit = Callable[[float], None]
"""One piece of work; takes the moment it was due, on the clock of :func:`time.perf_counter`."""

DRAIN_S = 5.0
"""After the last arrival, seconds that requests on their way are given to come back."""


class LoadPace:
    """How a load goes, from the side of whoever offers it."""

    def __init__(self) -> None:
        self.offered = 0
        self.finished = 0
        self.lags_s: list[float] = []
        """How late each release was, in seconds: the generator's own doing, never the server's."""


def open_loop(
    moments: Iterable[float],
    visit: Visit,
    *,
    concurrency: int,
    drain_s: float = DRAIN_S,
    pace: LoadPace | None = None,
) -> LoadPace:
    """Start one visit at each moment, whether or not earlier ones have come back.

    At most ``concurrency`` visits are under way; one that is due while all are taken waits its turn, and that wait is
    part of its latency.

    Args:
        moments: seconds from now, rising.
        visit: called with the moment the visit was due.
        concurrency: visits under way at once, at most.
        drain_s: seconds given to what is under way at the end; what is left then counts as unanswered.
        pace: written to while it goes on, for who cannot wait for the end.
    """
    due: Queue[float] = Queue()
    pace = pace or LoadPace()

    def serve() -> None:
        while True:
            intended = due.get()
            visit(intended)
            pace.finished += 1

    workers = [gevent.spawn(serve) for _ in range(concurrency)]
    try:
        _release(moments, due, pace)
        _drain(lambda: pace.finished == pace.offered, drain_s)
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
    """Let ``clients`` visit again once their last visit came back, for ``duration_s`` seconds.

    Args:
        duration_s: how long.
        visit: called with the moment the visit began.
        clients: how many.
        drain_s: seconds given to what is under way at the end.
        think: returns how long a client pauses before each visit, in seconds; not at all by default.
        every_s: no client begins two visits within so many seconds, however soon it is answered.
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


def _release(moments: Iterable[float], due: "Queue[float]", pace: LoadPace) -> None:
    begin = time.perf_counter()
    for moment in moments:
        intended = begin + moment
        while (early := intended - time.perf_counter()) > 0:
            gevent.sleep(early)  # may wake early: the loop reckons from when its round began
        pace.lags_s.append(time.perf_counter() - intended)
        pace.offered += 1
        due.put(intended)


def _drain(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.perf_counter() + seconds
    while not done() and time.perf_counter() < deadline:
        gevent.sleep(0.005)
