"""The state beside the live figures: breakers, queue and outbox, faults, the switches' digest."""

from collections.abc import Mapping
from typing import Any

from shop.faults import NONE
from shop.patterns.observability.live_figures import SumsReading
from shop.patterns.observability.resilience_metrics import STATES
from shop.patterns.queue.queue_report import QueueReport

STALE_S = 10.0
"""The worker reports once a second: an older report is of a worker that does not run."""
_WORDS = {value: word for word, value in STATES.items()}
_NAMES = {"shop-shared": "cache", "shop-edge": "edge"}


def describe_state(
    reading: SumsReading, queue: QueueReport | None, faults: Mapping[str, str], switches: int, order: str
) -> dict[str, Any]:
    """Return the state as a JSON document.

    Args:
        reading: the sums, with the state of each process's breakers.
        queue: the worker's last report.
        faults: dependency to the fault in force.
        switches: the digest of all switches and parameters.
        order: the command that the lab runs; empty if there is none.
    """
    fresh = queue is not None and reading.at - queue.at < STALE_S
    return {
        "in_flight": reading.web.in_flight,
        "breakers": [_breaker(name, states) for name, states in sorted(reading.web.breakers.items())],
        "outbox": queue.waiting if queue and fresh else None,
        "queue": sum(queue.queues.values()) if queue and fresh and queue.queues is not None else None,
        "dead": queue.dead if queue and fresh else None,
        "faults": {name: value for name, value in faults.items() if value != NONE},
        "switches": switches,
        "order": order,
    }


def _breaker(name: str, states: tuple[int, ...]) -> dict[str, Any]:
    """Return the worst state of a breaker, and in how many processes it has that state."""
    worst = max(states)
    return {"name": _NAMES.get(name, name), "state": _WORDS[worst], "processes": states.count(worst)}
