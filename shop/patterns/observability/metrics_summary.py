"""What the store has done so far, read back from its own figures, for a page to show."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from shop.patterns.observability.exporter import DIRECTORY_VARIABLE

EDGE = "shop-edge"
SERVED = frozenset({"hit", "hit-stale"})
ASKED = SERVED | {"miss", "stale"}
"""Outcomes of look-ups that reached the cache; what bypassed it says nothing about its hit rate."""


@dataclass(frozen=True, slots=True)
class CacheLayer:
    """What one cache answered."""

    name: str
    asked: int
    hits: int

    @property
    def hit_rate(self) -> float | None:
        """Return the share of look-ups it served, 0 to 1; ``None`` before the first."""
        return self.hits / self.asked if self.asked else None


@dataclass(frozen=True, slots=True)
class EdgeSums:
    """What the edge answered, from what it kept or from the application."""

    requests: int
    failed: int
    """Answers of status 500 and above."""
    look_ups: Mapping[tuple[str, str], int]
    """Class of time-to-live and outcome to how many."""


@dataclass(frozen=True, slots=True)
class MetricsSummary:
    """Sums since the server was started, over all its processes."""

    requests: int
    failed: int
    """Answers of status 500 and above."""
    queries: int
    layers: tuple[CacheLayer, ...]
    loads: Mapping[str, int]
    """Class of time-to-live to how many values of it were made afresh."""
    edge: EdgeSums | None = None
    """``None`` where no edge stands before the server."""

    @property
    def queries_per_request(self) -> float | None:
        """Return the mean; ``None`` before the first request."""
        return self.queries / self.requests if self.requests else None


def collect(own: CollectorRegistry, edge: EdgeSums | None = None) -> MetricsSummary:
    """Read the figures of every process of this server.

    Args:
        own: this process's registry, read where it is the only one.
        edge: what was answered in front of the server, which no process of it has counted.
    """
    registry = own
    if DIRECTORY_VARIABLE in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client types part of itself
    found = summarise(sample for family in registry.collect() for sample in family.samples)
    if edge is None:
        return found
    found = replace(found, edge=edge)
    asked = [(outcome, count) for (_, outcome), count in edge.look_ups.items() if outcome in ASKED]
    if not asked:
        return found
    hits = sum(count for outcome, count in asked if outcome in SERVED)
    return replace(found, layers=(CacheLayer(EDGE, sum(count for _, count in asked), hits), *found.layers))


def summarise(samples: Iterable[Sample]) -> MetricsSummary:
    """Add up samples."""
    requests = failed = queries = 0
    layers: dict[str, tuple[int, int]] = {}
    loads: Counter[str] = Counter()
    for sample in samples:
        count = int(sample.value)
        if sample.name == "shop_http_requests_total":
            requests += count
            failed += count if sample.labels["status"] == "5xx" else 0
        elif sample.name == "shop_db_queries_total":
            queries += count
        elif sample.name == "shop_cache_answers_total" and sample.labels["outcome"] in ASKED:
            asked, hits = layers.get(sample.labels["layer"], (0, 0))
            hit = count if sample.labels["outcome"] in SERVED else 0
            layers[sample.labels["layer"]] = (asked + count, hits + hit)
        elif sample.name == "shop_cache_loads_total":
            loads[sample.labels["ttl_class"]] += count
    found = tuple(CacheLayer(name, asked, hits) for name, (asked, hits) in sorted(layers.items()))
    return MetricsSummary(requests, failed, queries, found, loads)
