"""A background loop: it calls ``run_once`` repeatedly, also after errors.

Problem: a thread that ends at its first error is noticed only when its work is missed. A thread that repeats at once
after an error puts load on the failing server. A thread that polls often is fast, and puts load on an idle system.
Method: each loop has its own thread. A failed round is logged and counted, and the pause after it grows with full
jitter up to a bound; a successful round resets the pause. A loop with an idle pause also waits longer after each round
without work; the first round with work resets it. The readiness probe of the process shows the unhealthy loops.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from shop import threads
from shop.backoff import ExponentialBackoff
from shop.patterns.observability import correlation

BACKOFF_CAP_S = 30.0
UNHEALTHY_AFTER = 3
"""Failed rounds in a row after which a loop is unhealthy: a single failure is usual."""
IDLE_GROWTH = 1.25
"""The pause grows slowly: one round without work says little, ten in a row mean that the system is idle."""
STUCK_AFTER_S = 120.0
"""Seconds after which a round is stuck: all timeouts within a round are far below."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BackgroundLoop:
    """The work of a loop and its pauses.

    Args:
        name: for logs, thread and probe.
        run_once: does one round; two processes may run it at once. Returns a true value if there was work.
        every_s: seconds between two rounds.
        idle_s: longest pause while there is no work; by default the pause does not grow.
        cap_s: longest pause after failures.
    """

    name: str
    run_once: Callable[[], object]
    every_s: float
    idle_s: float = 0.0
    cap_s: float = BACKOFF_CAP_S


class LoopRunner:
    """Runs one loop in a thread.

    Args:
        loop: the work and its pauses.
        stopped: set when the process ends.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self, loop: BackgroundLoop, stopped: threading.Event, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.loop = loop
        self._stopped = stopped
        self._now = monotonic
        self._backoff = ExponentialBackoff(2 * max(loop.every_s, 0.1), loop.cap_s)
        self._failures = 0
        self._reason = ""
        self._pause_s = loop.every_s
        self._began: float | None = None
        self._thread = threading.Thread(target=self.run, name=loop.name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the round in progress to end."""
        self._thread.join(timeout_s)

    def run(self) -> None:
        """Run rounds until ``stopped`` is set."""
        pause_s = random.uniform(0, self.loop.every_s)  # so that workers started together run at different times
        while not self._stopped.wait(pause_s):
            pause_s = self.run_once()

    def run_once(self) -> float:
        """Run one round with its own correlation id; return the seconds to wait before the next."""
        correlation.adopt(None, None)
        self._began = self._now()
        try:
            had_work = self.loop.run_once()
        except Exception as error:  # noqa: BLE001 - after any error, the loop continues, and the probe shows it
            self._failures += 1
            self._reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            level = logging.WARNING if self._failures == UNHEALTHY_AFTER else logging.INFO
            _log.log(level, "loop_failed", extra={"loop": self.loop.name, "reason": self._reason})
            bound_s = self._backoff.bound_s(self._failures)
            return random.uniform(self.loop.every_s, bound_s)  # never less than after a successful round
        finally:
            self._began = None
        self._failures = 0
        longer_s = min(self._pause_s * IDLE_GROWTH, self.loop.idle_s)
        self._pause_s = self.loop.every_s if had_work else max(self.loop.every_s, longer_s)
        return self._pause_s

    @property
    def fault(self) -> str:
        """Return the fault of the loop; empty if it is healthy."""
        if thread_fault := threads.thread_fault(self._thread, self._stopped):
            return thread_fault
        began = self._began
        if began is not None and self._now() - began > STUCK_AFTER_S:
            return f"one round has taken more than {STUCK_AFTER_S:.0f} s"
        return f"{self._failures} rounds in a row failed: {self._reason}" if self._failures >= UNHEALTHY_AFTER else ""
