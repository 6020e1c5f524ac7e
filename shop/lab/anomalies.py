"""Reads the store's own counts of trouble around an arm: time-outs, evictions, locks that were lost.

Problem: on a busy machine Valkey answers too late a few times, the store does without it and logs that, and the
experiment blames the pattern.
Method: the store's own counters are read before and after each arm. Where one rose that the experiment does not expect,
the run is invalid and says which.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from shop.errors import ServiceUnavailable
from shop.lab.metrics_client import MetricsClient, sum_counter
from shop.lab.store_client import StoreClient
from shop.patterns.observability import metric_names

EVICTIONS = "evictions"


@dataclass(frozen=True)
class StoreAnomaly:
    """One kind of trouble.

    Args:
        words: what happened, after its count.
        metric: the store's counter of it; empty where it is asked for elsewhere.
        label: of that counter, and its value; empty for all of them.
    """

    words: str
    metric: str = ""
    label: tuple[str, str] | None = None


ANOMALIES: Mapping[str, StoreAnomaly] = MappingProxyType(
    {
        "cache_outages": StoreAnomaly(
            "times a cache did not answer in time and was left alone for a while", metric_names.CACHE_OUTAGES
        ),
        EVICTIONS: StoreAnomaly("entries were evicted from Valkey, which was too small for what was measured"),
        "locks_lost": StoreAnomaly(
            "times a lock ended before the load under it", metric_names.CACHE_ANOMALIES, ("kind", "lock-lost")
        ),
        "waits_given_up": StoreAnomaly(
            "requests gave up waiting for another's load",
            f"{metric_names.CACHE_WAIT_DURATION}_count",
            ("ended", "gave-up"),
        ),
        "breakers_opened": StoreAnomaly("times a circuit breaker opened", metric_names.BREAKER_CHANGES, ("to", "open")),
    }
)
"""Name, as an experiment's ``tolerates`` has it, to what it is."""


class AnomalyCounters:
    """The store's own counters of trouble.

    Args:
        store: whose.
    """

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def read(self) -> dict[str, float]:
        """Return every count so far; what cannot be told at the moment is left out.

        Raises:
            ServiceUnavailable: the store does not show its figures.
        """
        meters = MetricsClient(self._store)
        try:
            text = meters.scrape()
        finally:
            meters.close()
        counts = {name: sum_counter(text, one.metric, one.label) for name, one in ANOMALIES.items() if one.metric}
        with suppress(ServiceUnavailable):  # a process that was killed on purpose may be the one that was asked
            evicted = self._store.evicted_keys()
            return counts if evicted is None else {**counts, EVICTIONS: float(evicted)}
        return counts


def describe_anomalies(arm: str, counts: Mapping[str, float]) -> list[str]:
    """Return what the store counted while an arm was measured, in words."""
    return [f"arm {arm}: {count:.0f} {ANOMALIES[name].words}" for name, count in counts.items() if name in ANOMALIES]


def increases(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the counts that rose, and by how much; a server that was started anew counts from zero again."""
    rises = {name: after[name] - before[name] for name in after if name in before}
    return {name: rise for name, rise in rises.items() if rise > 0}
