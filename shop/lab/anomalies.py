"""Reads the store's own anomaly counters before and after an arm: timeouts, evictions, lost locks.

Problem: on a busy machine Valkey sometimes answers too late. The store then works without Valkey and logs that, and the
experiment would blame the pattern.
Method: read the store's counters before and after each arm. If a counter rose that the experiment does not tolerate,
the run is invalid, and the reason names the counter.
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
    """One kind of anomaly.

    Args:
        words: the event, to be written after its count.
        metric: the counter in the store's metrics; empty if the count comes from elsewhere.
        label: a label of that counter and its value; ``None`` for all samples.
    """

    words: str
    metric: str = ""
    label: tuple[str, str] | None = None


ANOMALIES: Mapping[str, StoreAnomaly] = MappingProxyType(
    {
        "cache_outages": StoreAnomaly(
            "times a cache did not answer in time and was not asked again for a while", metric_names.CACHE_OUTAGES
        ),
        EVICTIONS: StoreAnomaly("entries were evicted from Valkey, whose memory was too small for the measurement"),
        "locks_lost": StoreAnomaly(
            "times a lock expired before its load ended", metric_names.CACHE_ANOMALIES, ("kind", "lock-lost")
        ),
        "waits_given_up": StoreAnomaly(
            "requests stopped waiting for the load of another request",
            f"{metric_names.CACHE_WAIT_DURATION}_count",
            ("ended", "gave-up"),
        ),
        "requests_limited": StoreAnomaly(
            "requests were refused because their client was over its rate limit",
            metric_names.RATE_LIMITED_REQUESTS,
            ("outcome", "refused"),
        ),
        "breakers_opened": StoreAnomaly("times a circuit breaker opened", metric_names.BREAKER_CHANGES, ("to", "open")),
    }
)
"""The kinds of anomaly by name; an experiment lists names in ``tolerates``."""


class AnomalyCounters:
    """The store's own counters of anomalies.

    Args:
        store: a client of the store.
    """

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def read(self) -> dict[str, float]:
        """Return every count since the start of the store; a count that cannot be read now is left out.

        Raises:
            ServiceUnavailable: the store does not show its metrics.
        """
        metrics = MetricsClient(self._store)
        try:
            text = metrics.scrape()
        finally:
            metrics.close()
        counts = {
            name: sum_counter(text, anomaly.metric, anomaly.label)
            for name, anomaly in ANOMALIES.items()
            if anomaly.metric
        }
        with suppress(ServiceUnavailable):  # the experiment may have killed the process that gets this request
            evicted = self._store.evicted_keys()
            return counts if evicted is None else {**counts, EVICTIONS: float(evicted)}
        return counts


def describe_anomalies(arm: str, counts: Mapping[str, float]) -> list[str]:
    """Return one sentence for each anomaly that the store counted while an arm was measured."""
    return [f"arm {arm}: {count:.0f} {ANOMALIES[name].words}" for name, count in counts.items() if name in ANOMALIES]


def increases(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the counts that rose, and by how much; a restarted server counts from zero again."""
    rises = {name: after[name] - before[name] for name in after if name in before}
    return {name: rise for name, rise in rises.items() if rise > 0}
