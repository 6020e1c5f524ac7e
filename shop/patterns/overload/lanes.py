"""Lanes: which request threads of a process a client may use, so that one client cannot hold all of them.

Problem: one client's requests each hold a thread for seconds: a program that sends the same slow request again and
again, or a request that makes a server hang. Soon this client holds every thread, and no other client is served.
Method: the threads are divided into lanes, and a client hashes to some of them. A request takes a thread of its
client's lanes only, and waits in their share of the queue. With one lane of eight (``sharded``), a poisonous client
holds one lane, and one client in eight shares its fate. With two of eight (``shuffle``), there are 28 pairs. A client
that has one lane in common with the poisonous one still has its other lane; only the same pair is lost, one in 28.
The lanes of a client follow from its name and a seed, so all processes agree without talking to each other.
Switch: ``overload.lanes``. Experiment: ``shuffle-sharding``.
Source: MacCárthaigh, "Workload isolation using shuffle-sharding", Amazon Builders' Library; Amazon Route 53 Infima.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

LANES = 8
"""Few enough that each lane has a thread of a process with the default number of threads."""
LANES_OF_A_CLIENT = 2
"""With shuffle sharding. More lanes leave fewer clients with all of them in common, and let one client hold more."""
SEED = 1
"""Another seed deals all clients anew."""

LaneNumbers = tuple[int, ...]
"""The lanes of a client, the one that it tries first in front; empty: every thread."""


@lru_cache(maxsize=8)
def lane_choices(lanes: int, picked: int) -> Sequence[LaneNumbers]:
    """Return every way to pick some lanes in an order."""
    return tuple(permutations(range(lanes), picked))


def deal_lanes(client: str, lanes: int, picked: int, seed: int = SEED) -> LaneNumbers:
    """Return the lanes of a client. Pure: the same in every process.

    Args:
        client: its name.
        lanes: how many there are.
        picked: how many of them the client gets.
        seed: another one deals all clients anew.
    """
    digest = hashlib.blake2b(client.encode(), digest_size=8, salt=seed.to_bytes(16, "big")).digest()
    choices = lane_choices(lanes, picked)
    return choices[int.from_bytes(digest, "big") % len(choices)]


def expected_share(lanes: int, picked: int) -> float:
    """Return the share of clients whose lanes are all those of one other client: 1/8 for 1 of 8, 1/28 for 2."""
    return 1 / math.comb(lanes, picked)


@dataclass(frozen=True, slots=True)
class LanePlan:
    """How the threads of a process are divided.

    Args:
        lanes: how many; one lane has every thread.
        threads: of each lane.
        picked: lanes of a client.
    """

    lanes: int = 1
    threads: int = 1
    picked: int = 1

    @property
    def is_divided(self) -> bool:
        """Return whether there is more than one lane."""
        return self.lanes > 1

    @property
    def share(self) -> float:
        """Return the share of threads and queue that a client may use."""
        return self.picked / self.lanes

    def deal(self, client: str) -> LaneNumbers:
        """Return the lanes of a client."""
        return deal_lanes(client, self.lanes, self.picked) if self.is_divided else ()


SHARED = LanePlan()
"""Every client may use every thread."""


def plan_lanes(threads: int, picked: int) -> LanePlan:
    """Return a plan in which each lane has at least one thread.

    Args:
        threads: of the process. If there are fewer than :data:`LANES`, there are as many lanes as threads. Threads that
            are left over after an equal division are not used.
        picked: lanes of a client.
    """
    lanes = min(LANES, threads)
    return LanePlan(lanes, threads // lanes, min(picked, lanes))


class LaneOccupancy:
    """How many requests run in each lane. The caller locks it."""

    def __init__(self) -> None:
        self._running: Counter[int] = Counter()

    def find_free(self, numbers: LaneNumbers, threads: int) -> int | None:
        """Return the first lane with a free thread; ``None`` if all are full.

        Args:
            numbers: the lanes of a client, in its order.
            threads: of each lane.
        """
        return next((number for number in numbers if self._running[number] < threads), None)

    def enter(self, number: int) -> None:
        """Note that a request runs in a lane."""
        self._running[number] += 1

    def leave(self, number: int) -> None:
        """Note that it has ended."""
        self._running[number] -= 1

    def count_full(self, threads: int) -> int:
        """Return how many lanes have no free thread."""
        return sum(running >= threads for running in self._running.values())
