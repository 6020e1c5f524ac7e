"""Kills servers of the run's own stack at random; the stack's supervisor restarts them."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Self

import psutil

from shop.stack.state import ProcessRecord

KINDS = ("web", "worker", "payments", "postgres", "broker")
"""Of ``web``, one of several processes is killed; every other server has one process."""
EVERY_S = (2.0, 6.0)


class ServerKiller:
    """Sends SIGKILL in a thread, from the start of the block to its end.

    Args:
        processes: returns the running processes, by name.
        at_most: most kills.
        every_s: bounds of the pause between two kills, uniformly distributed.
        rest_s: for so long after its start, a server other than ``web`` is not killed. If a server dies sooner, the
            supervisor delays its restart, twice as long each time, and a store that is down proves nothing.
        rng: the source of randomness.
    """

    def __init__(
        self,
        processes: Callable[[], Mapping[str, ProcessRecord]],
        at_most: int,
        every_s: tuple[float, float],
        rest_s: float,
        rng: random.Random,
    ) -> None:
        self._processes = processes
        self._at_most = at_most
        self._every_s = every_s
        self._rest_s = rest_s
        self._rng = rng
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)
        self.kills: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._stopped.set()
        self._thread.join()

    def kill_next(self) -> str:
        """Kill one server; return its name, or an empty text if no server may be killed now."""
        running = {name: record for name, record in self._processes().items() if record.identity.alive}
        candidates = [
            name
            for name in KINDS
            if name in running
            and (name == "web" or not self.kills[name] or time.time() - running[name].identity.created >= self._rest_s)
        ]
        fewest = min((self.kills[name] for name in candidates), default=0)
        candidates = [name for name in candidates if self.kills[name] == fewest]  # a short run kills every kind too
        if not candidates:
            return ""
        name = self._rng.choice(candidates)
        if not kill(name, running[name], self._rng):
            return ""
        self.kills[name] += 1
        return name

    def _run(self) -> None:
        while not self._stopped.wait(self._rng.uniform(*self._every_s)):
            if self.kills.total() < self._at_most:
                self.kill_next()


def kill(name: str, record: ProcessRecord, rng: random.Random) -> bool:
    """Kill a server; return whether there was a process to kill.

    Args:
        name: one of :data:`KINDS`.
        record: its process.
        rng: chooses one of the web processes.
    """
    leader = record.identity.process()
    if leader is None:
        return False
    try:
        children = leader.children()
        if name == "web":
            if children:
                rng.choice(children).kill()
            return bool(children)
        leader.kill()
        for child in children if name == "payments" else ():  # the worker of gunicorn is the provider, not its master
            child.kill()
    except psutil.NoSuchProcess:
        pass
    return True
