"""Open arrivals in this process: each action begins at its due time, whether or not earlier ones have ended.

The lab's generator is a process of its own that sends GET requests at high rates. A check sends few requests, of any
kind, and shall begin at once. Like that generator, this one measures how late it was itself: on a machine that is too
busy, the load is not the planned one, and nothing is known about the store.
Source: see ``shop.lab.pacing``.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from shop.lab.statistics import percentile

T = TypeVar("T")

CONCURRENCY = 32
"""Most actions at a time. If all threads are busy, a due action waits, and its latency counts from its due time."""
DRAIN_S = 10.0
"""After the last arrival, the running actions get so many seconds."""


@dataclass
class OpenLoad(Generic[T]):
    """The outcome of a load."""

    results: list[T | None]
    """Of each action; ``None`` if it had not ended in time."""
    due_s: list[float]
    """When each action was due, in seconds after the begin."""
    latencies_ms: list[float]
    """From the due time to the end; the whole wait if it had not ended in time."""
    began: float
    """On the clock of :func:`time.monotonic`."""
    lag_p95_ms: float = 0.0
    """How late the generator released actions; a delay of this process, never of the store."""


def offer_open_load(
    actions: Sequence[Callable[[], T]], rate: float, *, burst: int = 1, drain_s: float = DRAIN_S
) -> OpenLoad[T]:
    """Begin the actions at equal intervals, and wait for their ends.

    Args:
        actions: called in threads; an action reports its own failure as its result.
        rate: actions a second.
        burst: so many actions begin at the same time; the rate is the same.
        drain_s: seconds for the running actions after the last due time.

    Raises:
        Exception: the first error that an action raised.
    """
    queue: SimpleQueue[int | None] = SimpleQueue()
    ended = threading.Semaphore(0)
    errors: list[Exception] = []
    began = time.monotonic()
    due_s = [(number - number % burst) / rate for number in range(len(actions))]
    load: OpenLoad[T] = OpenLoad([None] * len(actions), due_s, [0.0] * len(actions), began)

    def serve() -> None:
        while (number := queue.get()) is not None:
            try:
                load.results[number] = actions[number]()
            except Exception as error:  # noqa: BLE001 - raised at the end
                errors.append(error)
            load.latencies_ms[number] = (time.monotonic() - began - due_s[number]) * 1000
            ended.release()

    threads = [
        threading.Thread(target=serve, name="open-load", daemon=True) for _ in range(min(CONCURRENCY, len(actions)))
    ]
    for thread in threads:
        thread.start()
    try:
        lags_s = []
        for number, due in enumerate(due_s):
            time.sleep(max(0.0, began + due - time.monotonic()))
            lags_s.append(time.monotonic() - began - due)
            queue.put(number)
        load.lag_p95_ms = percentile(lags_s, 95) * 1000 if lags_s else 0.0
        deadline = time.monotonic() + drain_s
        answered = sum(ended.acquire(timeout=max(0.0, deadline - time.monotonic())) for _ in actions)
    finally:
        for _ in threads:
            queue.put(None)
    if errors:
        raise errors[0]
    if answered < len(actions):
        wait_ms = (time.monotonic() - began) * 1000
        load.latencies_ms = [
            milliseconds or wait_ms - due * 1000 for milliseconds, due in zip(load.latencies_ms, due_s, strict=True)
        ]
    return load
