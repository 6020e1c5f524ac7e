"""The generator of a visible load, a process of its own: reads a phase from stdin, writes one line a second to stdout.

The load is an open loop, as in every measurement of the lab. Each line is a :class:`~shop.lab.load_stream.LoadSecond`.
"""

import os
import random
import sys
import time
from collections import Counter

import gevent

from shop.lab import pacing
from shop.lab.arrivals import arrival_times
from shop.lab.load import LoadPhase
from shop.lab.load_generator import LoadGenerator, exit_with_parent
from shop.lab.load_stream import LINE_EVERY_S, LoadSecond
from shop.lab.loopback import check_loopback


class SecondReporter:
    """Cuts the growing samples of a generator into seconds.

    Args:
        generator: records the visits.
    """

    def __init__(self, generator: LoadGenerator) -> None:
        self._generator = generator
        self._reported = 0
        self._errors: Counter[str] = Counter()

    def take(self, second: int, seconds: float) -> LoadSecond:
        """Return the visits that were answered since the last call.

        Args:
            second: the number of the line, from 1.
            seconds: the time since the last call.
        """
        generator, start = self._generator, self._reported
        self._reported = end = len(generator.latencies_ms)
        errors = generator.errors - self._errors
        self._errors = generator.errors.copy()
        return LoadSecond(
            second=second,
            rate=(end - start) / seconds,
            latencies_ms=[round(ms, 2) for ms in generator.latencies_ms[start:end]],
            failed=generator.succeeded[start:end].count(False),
            errors=dict(errors),
            answered_by=dict(Counter(filter(None, generator.answered_by[start:end]))),
        )


def offer_live(phase: LoadPhase) -> None:
    """Offer the load of a phase, and write a line for each second of it."""
    generator = LoadGenerator(phase)
    reporter, began = SecondReporter(generator), time.perf_counter()

    def report() -> None:
        second, last = 0, began
        while True:
            second += 1
            gevent.sleep(max(0.0, began + second * LINE_EVERY_S - time.perf_counter()))
            now = time.perf_counter()
            sys.stdout.write(reporter.take(second, now - last).model_dump_json() + "\n")
            sys.stdout.flush()
            last = now

    reports = gevent.spawn(report)
    due_times = arrival_times(phase.arrivals, phase.rate, phase.duration_s, random.Random(phase.seed))
    pacing.open_loop(due_times, generator.visit, concurrency=phase.concurrency, drain_s=phase.timeout_s)
    # The last line covers the visits that were still open at the end of the schedule.
    gevent.sleep(max(0.0, began + phase.duration_s + LINE_EVERY_S / 10 - time.perf_counter()))
    reports.kill()
    generator.close()


def main() -> None:
    """Run the load that stdin describes."""
    phase = LoadPhase.model_validate_json(sys.stdin.readline())
    check_loopback(phase.base_url)
    gevent.spawn(exit_with_parent, os.getppid())
    offer_live(phase)


if __name__ == "__main__":
    main()
