"""Sums over the store's own metrics since its start, for the lab's page."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from shop.patterns.observability import metric_names
from shop.patterns.observability.exporter import DIRECTORY_VARIABLE

EDGE = "shop-edge"
HIT_OUTCOMES = frozenset({"hit", "hit-stale"})
LOOKUP_OUTCOMES = HIT_OUTCOMES | {"miss", "stale"}
"""Outcomes of look-ups that reached the cache; a bypass does not count in the hit rate."""


@dataclass(frozen=True, slots=True)
class CacheLayer:
    """The look-ups of one cache layer."""

    name: str
    lookups: int
    hits: int

    @property
    def hit_rate(self) -> float | None:
        """Return the share of look-ups that were hits, 0 to 1; ``None`` before the first look-up."""
        return self.hits / self.lookups if self.lookups else None


@dataclass(frozen=True, slots=True)
class EdgeSums:
    """The responses of the edge, from its cache or from the application."""

    requests: int
    failed: int
    """Responses of status 500 and above."""
    lookups: Mapping[tuple[str, str], int]
    """Time-to-live class and outcome to the number of look-ups."""


@dataclass(frozen=True, slots=True)
class MetricsSummary:
    """Sums since the server's start, over all its processes."""

    requests: int
    failed: int
    """Responses of status 500 and above."""
    queries: int
    layers: tuple[CacheLayer, ...]
    loads: Mapping[str, int]
    """Time-to-live class to the number of loader calls."""
    edge: EdgeSums | None = None
    """``None`` without an edge in front of the server."""
    switch_snapshots: tuple[int, ...] = ()
    """For each live process, the digest of the switches that it applies."""

    @property
    def queries_per_request(self) -> float | None:
        """Return the mean; ``None`` before the first request."""
        return self.queries / self.requests if self.requests else None


def collect(own: CollectorRegistry, edge: EdgeSums | None = None) -> MetricsSummary:
    """Sum up the metrics of every process of this server.

    Args:
        own: this process's registry, used if it is the server's only process.
        edge: the responses of the edge, which no process of the server has counted.
    """
    registry = own
    if DIRECTORY_VARIABLE in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client types part of itself
    summary = summarise(sample for family in registry.collect() for sample in family.samples)
    if edge is None:
        return summary
    summary = replace(summary, edge=edge)
    layer = count_lookups(edge.lookups)
    return replace(summary, layers=(layer, *summary.layers)) if layer.lookups else summary


def count_lookups(lookups: Mapping[tuple[str, str], int]) -> CacheLayer:
    """Return the edge as a cache layer.

    Args:
        lookups: time-to-live class and outcome to the number of look-ups.
    """
    counts = [(outcome, count) for (_, outcome), count in lookups.items() if outcome in LOOKUP_OUTCOMES]
    hits = sum(count for outcome, count in counts if outcome in HIT_OUTCOMES)
    return CacheLayer(EDGE, sum(count for _, count in counts), hits)


def summarise(samples: Iterable[Sample]) -> MetricsSummary:
    """Add up samples."""
    requests = failed = queries = 0
    layers: dict[str, tuple[int, int]] = {}
    loads: Counter[str] = Counter()
    snapshots: list[int] = []
    for sample in samples:
        count = int(sample.value)
        if sample.name == metric_names.HTTP_REQUESTS:
            requests += count
            failed += count if sample.labels["status"] == "5xx" else 0
        elif sample.name == metric_names.DB_QUERIES:
            queries += count
        elif sample.name == metric_names.CACHE_LOOKUPS and sample.labels["outcome"] in LOOKUP_OUTCOMES:
            lookups, hits = layers.get(sample.labels["layer"], (0, 0))
            hit = count if sample.labels["outcome"] in HIT_OUTCOMES else 0
            layers[sample.labels["layer"]] = (lookups + count, hits + hit)
        elif sample.name == metric_names.CACHE_LOADS:
            loads[sample.labels["ttl_class"]] += count
        elif sample.name == metric_names.SWITCH_SNAPSHOT:
            snapshots.append(count)
    in_order = tuple(CacheLayer(name, lookups, hits) for name, (lookups, hits) in sorted(layers.items()))
    return MetricsSummary(requests, failed, queries, in_order, loads, switch_snapshots=tuple(snapshots))
