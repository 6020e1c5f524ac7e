"""What the caches of a server have done since it was started, read from its figures: a row a layer and class."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from shop.patterns.observability.metrics_summary import ASKED, SERVED


@dataclass(slots=True)
class ClassFigures:
    """What one layer answered for one time-to-live class."""

    layer: str
    ttl_class: str
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def hit_rate(self) -> float | None:
        """Return the share of look-ups it served, 0 to 1; ``None`` before the first."""
        asked = sum(count for outcome, count in self.outcomes.items() if outcome in ASKED)
        hits = sum(count for outcome, count in self.outcomes.items() if outcome in SERVED)
        return hits / asked if asked else None


@dataclass(slots=True)
class CacheFigures:
    """Sums over all processes."""

    classes: list[ClassFigures]
    loads: dict[str, int]
    """By why they were run."""
    failed_loads: int
    load_s: float
    """Seconds of all loads together."""
    waits: dict[str, int]
    """Waits for another's load, by how they ended."""
    evictions: int
    held_bytes: int
    stored_bytes: int
    troubles: dict[str, int]
    outages: int


def parse(text: str) -> CacheFigures:
    """Read what ``/metrics`` answers."""
    return summarise(sample for family in text_string_to_metric_families(text) for sample in family.samples)


def summarise(samples: Iterable[Sample]) -> CacheFigures:
    """Add up samples."""
    sums: dict[str, dict[tuple[str, ...], float]] = defaultdict(lambda: defaultdict(float))
    wanted = {
        "shop_cache_answers_total": ("layer", "ttl_class", "outcome"),
        "shop_cache_loads_total": ("why",),
        "shop_cache_wait_seconds_count": ("ended",),
        "shop_cache_troubles_total": ("kind",),
    }
    for sample in samples:
        if sample.name.startswith("shop_cache_"):
            sums[sample.name][tuple(sample.labels[label] for label in wanted.get(sample.name, ()))] += sample.value
            if sample.name == "shop_cache_loads_total" and sample.labels["outcome"] == "failed":
                sums["failed"][()] += sample.value
    classes: dict[tuple[str, str], ClassFigures] = {}
    for (layer, ttl_class, outcome), count in sorted(sums["shop_cache_answers_total"].items()):
        row = classes.setdefault((layer, ttl_class), ClassFigures(layer, ttl_class))
        row.outcomes[outcome] = int(count)
    return CacheFigures(
        classes=list(classes.values()),
        loads=_by_label(sums["shop_cache_loads_total"]),
        failed_loads=int(sums["failed"][()]),
        load_s=round(sums["shop_cache_load_seconds_sum"][()], 3),
        waits=_by_label(sums["shop_cache_wait_seconds_count"]),
        evictions=int(sums["shop_cache_evictions_total"][()]),
        held_bytes=int(sums["shop_cache_held_bytes"][()]),
        stored_bytes=int(sums["shop_cache_stored_bytes_total"][()]),
        troubles=_by_label(sums["shop_cache_troubles_total"]),
        outages=int(sums["shop_cache_outages_total"][()]),
    )


def _by_label(found: dict[tuple[str, ...], float]) -> dict[str, int]:
    return {labels[0]: int(count) for labels, count in sorted(found.items())}
