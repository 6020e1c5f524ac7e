"""Statistics of the caches since the server's start, read from its ``/metrics``: a row for each layer and class."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from shop.patterns.observability import metric_names
from shop.patterns.observability.metrics_summary import HIT_OUTCOMES, LOOKUP_OUTCOMES

WAITS = f"{metric_names.CACHE_WAIT_DURATION}_count"
LABELS = {
    metric_names.CACHE_LOOKUPS: ("layer", "ttl_class", "outcome"),
    metric_names.CACHE_LOADS: ("why",),
    WAITS: ("ended",),
    metric_names.CACHE_ANOMALIES: ("kind",),
}
"""Metric to the labels its samples are grouped by; samples of every other metric are added up."""


@dataclass(slots=True)
class TtlClassStatistics:
    """The look-ups of one layer in one time-to-live class."""

    layer: str
    ttl_class: str
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def hit_rate(self) -> float | None:
        """Return the share of look-ups that were hits, 0 to 1; ``None`` before the first look-up."""
        lookups = sum(count for outcome, count in self.outcomes.items() if outcome in LOOKUP_OUTCOMES)
        hits = sum(count for outcome, count in self.outcomes.items() if outcome in HIT_OUTCOMES)
        return hits / lookups if lookups else None


@dataclass(slots=True)
class CacheStatistics:
    """Sums over all processes."""

    classes: list[TtlClassStatistics]
    loads: dict[str, int]
    """Reason to the number of loader calls."""
    failed_loads: int
    load_s: float
    """Seconds of all loads together."""
    waits: dict[str, int]
    """Result to the number of waits for the load of another request."""
    evictions: int
    held_bytes: int
    stored_bytes: int
    anomalies: dict[str, int]
    outages: int


def parse(text: str) -> CacheStatistics:
    """Parse a response of ``/metrics``."""
    return summarise(sample for family in text_string_to_metric_families(text) for sample in family.samples)


def summarise(samples: Iterable[Sample]) -> CacheStatistics:
    """Add up samples."""
    sums: dict[str, dict[tuple[str, ...], float]] = defaultdict(lambda: defaultdict(float))
    failed_loads = 0
    for sample in samples:
        if sample.name.startswith(metric_names.CACHE_PREFIX):
            labels = tuple(sample.labels[label] for label in LABELS.get(sample.name, ()))
            sums[sample.name][labels] += sample.value
            if sample.name == metric_names.CACHE_LOADS and sample.labels["outcome"] == "failed":
                failed_loads += int(sample.value)
    classes: dict[tuple[str, str], TtlClassStatistics] = {}
    for (layer, ttl_class, outcome), count in sorted(sums[metric_names.CACHE_LOOKUPS].items()):
        row = classes.setdefault((layer, ttl_class), TtlClassStatistics(layer, ttl_class))
        row.outcomes[outcome] = int(count)

    def by_label(name: str) -> dict[str, int]:
        return {labels[0]: int(count) for labels, count in sorted(sums[name].items())}

    return CacheStatistics(
        classes=list(classes.values()),
        loads=by_label(metric_names.CACHE_LOADS),
        failed_loads=failed_loads,
        load_s=round(sums[f"{metric_names.CACHE_LOAD_DURATION}_sum"][()], 3),
        waits=by_label(WAITS),
        evictions=int(sums[metric_names.CACHE_EVICTIONS][()]),
        held_bytes=int(sums[metric_names.CACHE_HELD_BYTES][()]),
        stored_bytes=int(sums[metric_names.CACHE_STORED_BYTES][()]),
        anomalies=by_label(metric_names.CACHE_ANOMALIES),
        outages=int(sums[metric_names.CACHE_OUTAGES][()]),
    )
