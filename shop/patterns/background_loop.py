"""A loop of a background process: a tested ``run_once``, again and again, whatever it raises.

Problem: a thread that ends at the first error is not missed until what it did is; one that goes on at once after an
error becomes a load of its own; and one that asks often, so that nobody waits, is a load while nobody does.
Method: each loop has a thread. A round that raises is logged and counted, and the pause after it grows with full jitter
up to a bound; a round that goes well brings the pause back. Where a loop may, its pause grows as well with every round
that finds nothing, and the first find brings it back. The process's probe says which loops are not well.
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
"""Rounds in a row that failed: one is a hiccup."""
IDLE_GROWTH = 1.25
"""Slow: one round without a find says little, ten in a row that a quiet time has begun."""
STUCK_AFTER_S = 120.0
"""Everything a round waits for is bounded well below."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BackgroundLoop:
    """What is done again and again.

    Args:
        name: in logs, thread and probe.
        run_once: one round; safe to run in two processes at once. Returns something true if there was something to do.
        every_s: seconds between the end of a round and the next.
        idle_s: what that grows to while there is nothing to do; by default it does not grow.
        cap_s: what no pause after failures exceeds.
    """

    name: str
    run_once: Callable[[], object]
    every_s: float
    idle_s: float = 0.0
    cap_s: float = BACKOFF_CAP_S


class LoopRunner:
    """Runs one loop in a thread.

    Args:
        loop: what to run.
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
        """Wait for the round under way to end."""
        self._thread.join(timeout_s)

    def run(self) -> None:
        """Run rounds until the process is to stop."""
        pause_s = random.uniform(0, self.loop.every_s)  # two workers started together need not stay in step
        while not self._stopped.wait(pause_s):
            pause_s = self.run_once()

    def run_once(self) -> float:
        """Run one round, under an id of its own; return the seconds to wait before the next."""
        correlation.adopt(None, None)
        self._began = self._now()
        try:
            found = self.loop.run_once()
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop goes on, and says so
            self._failures += 1
            self._reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            level = logging.WARNING if self._failures == UNHEALTHY_AFTER else logging.INFO
            _log.log(level, "loop_failed", extra={"loop": self.loop.name, "reason": self._reason})
            bound_s = self._backoff.bound_s(self._failures)
            return random.uniform(self.loop.every_s, bound_s)  # jitter, and never sooner than after a good round
        finally:
            self._began = None
        self._failures = 0
        longer_s = min(self._pause_s * IDLE_GROWTH, self.loop.idle_s)
        self._pause_s = self.loop.every_s if found else max(self.loop.every_s, longer_s)
        return self._pause_s

    @property
    def fault(self) -> str:
        """What is wrong with it; empty when it is well."""
        if ended := threads.thread_fault(self._thread, self._stopped):
            return ended
        began = self._began
        if began is not None and self._now() - began > STUCK_AFTER_S:
            return f"one round has taken more than {STUCK_AFTER_S:.0f} s"
        return f"{self._failures} rounds in a row failed: {self._reason}" if self._failures >= UNHEALTHY_AFTER else ""
