"""Shoppers check out while web processes are killed in the middle of it; then the books are checked.

Nobody asks again: what is left is what one request and its death left behind. An order that waits for its payment is no
mismatch, since it says so and a completer finds it; a piece that is nobody's is one.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import Field

from shop.errors import Unavailable
from shop.lab.arms import Arm, Strict
from shop.lab.drivers.auditor import mismatches
from shop.lab.drivers.bench import Bench, Measure, Seen
from shop.lab.drivers.checkouts import buy, samples
from shop.lab.drivers.crowd import crowd, size
from shop.lab.store import Store

WEB = "web"
DONE_S = 3.0
"""After the last answer, until no request can be at work any more that was cut off from its client."""


class Given(Strict):
    """What is told of checkouts and kills."""

    rate: float = Field(default=12.0, gt=0)
    """A second."""
    seconds: float = Field(default=8.0, gt=0)
    kill_every_s: float = Field(default=0.7, gt=0)


class PartialWrite:
    """Buys, kills, and lets the books be checked."""

    given = Given
    faults: Sequence[str] = (WEB,)
    knobs: Sequence[str] = ()
    edits = False
    measures: Mapping[str, Measure] = {
        "checkouts": Measure("Checkouts begun"),
        "orders": Measure("Answered with an order"),
        "kills": Measure("Web processes killed"),
        "mismatches": Measure("Mismatches in the books"),
    }

    def seconds(self, given: Given) -> float:
        """Return how long an arm takes, about."""
        return given.seconds + DONE_S + 10.0

    def lasting(self, driving: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length."""
        return {"seconds": seconds}

    def observe(self, bench: Bench, arm: Arm, given: Given) -> Seen:
        """Buy and kill, check the books, and undo the orders that were answered."""
        before = mismatches()
        with crowd(bench.store, size(given.rate, given.seconds)) as shoppers:
            with _Killer(bench.store.base_url, given.kill_every_s) as killer:
                bought = buy(shoppers, given.rate)
            bench.store.wait_ready()
            bench.wait(DONE_S)
            found = mismatches() - before
        return Seen(
            samples(bought, given.seconds),
            {
                "checkouts": float(len(bought)),
                "orders": float(sum(bool(one.order) for one in bought)),
                "kills": float(killer.kills),
                "mismatches": float(len(found)),
            },
        )


class _Killer:
    """Kills one web process after the other, in a thread, until told to stop."""

    def __init__(self, base_url: str, every_s: float) -> None:
        self._store = Store(base_url)
        self._every_s = every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._kill, name="killer", daemon=True)
        self.kills = 0

    def __enter__(self) -> "_Killer":
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._end.set()
        self._thread.join()
        self._store.close()

    def _kill(self) -> None:
        while not self._end.wait(self._every_s):
            self.kills += 1
            with suppress(Unavailable):  # the one that took the order may be the one that dies of it
                self._store.set_fault(WEB, "kill")
