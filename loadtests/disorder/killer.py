"""Kills one server of the run's own stack after the other, at random; the stack's supervisor starts them again."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Self

import psutil

from shop.stack.state import ProcessRecord

KINDS = ("web", "worker", "payments", "postgres", "broker")
"""Of ``web`` one process among several; of the others all there is."""
EVERY_S = (2.0, 6.0)


class Killer:
    """Sends SIGKILL in a thread of its own, from the start of the block to its end.

    Args:
        processes: returns what runs, by name.
        at_most: kills; after that it only watches.
        every_s: bounds of the pause between two kills, drawn evenly.
        rest_s: how long a server other than ``web`` is left alone after its start. One that dies sooner is held back
            by the supervisor, twice as long each time, and a store that is down altogether proves nothing.
        chance: draws.
    """

    def __init__(
        self,
        processes: Callable[[], Mapping[str, ProcessRecord]],
        at_most: int,
        every_s: tuple[float, float],
        rest_s: float,
        chance: random.Random,
    ) -> None:
        self._processes = processes
        self._at_most = at_most
        self._every_s = every_s
        self._rest_s = rest_s
        self._chance = chance
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)
        self.kills: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._end.set()
        self._thread.join()

    def run_once(self) -> str:
        """Kill one; return which, or an empty text where none may be killed now."""
        running = {name: record for name, record in self._processes().items() if record.identity.alive}
        may = [name for name in KINDS if name in running and self._is_rested(name, running[name])]
        fewest = min((self.kills[name] for name in may), default=0)
        fresh = [name for name in may if self.kills[name] == fewest]  # a short run meets every kind too
        if not fresh:
            return ""
        name = self._chance.choice(fresh)
        if not kill(name, running[name], self._chance):
            return ""
        self.kills[name] += 1
        return name

    def _run(self) -> None:
        while not self._end.wait(self._chance.uniform(*self._every_s)):
            if self.kills.total() < self._at_most:
                self.run_once()

    def _is_rested(self, name: str, record: ProcessRecord) -> bool:
        if name == "web":
            return True
        return not self.kills[name] or time.time() - record.identity.created >= self._rest_s


def kill(name: str, record: ProcessRecord, chance: random.Random) -> bool:
    """Kill a server; tell whether there was anything to kill.

    Args:
        name: one of :data:`KINDS`.
        record: its process.
        chance: draws which of the web processes.
    """
    leader = record.identity.process()
    if leader is None:
        return False
    try:
        made = leader.children()
        if name == "web":
            if made:
                chance.choice(made).kill()
            return bool(made)
        leader.kill()
        for child in made if name == "payments" else ():  # gunicorn's worker is the provider; its master only watches
            child.kill()
    except psutil.NoSuchProcess:
        pass
    return True
