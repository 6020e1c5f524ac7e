"""The sums behind the live figures, read from the metrics of all web processes at the smallest cost.

:mod:`metrics_summary` builds prometheus_client's whole model of every metric. This module reads the same files, adds up
the few metrics that the lab shows live, and remembers which metric each key belongs to.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.mmap_dict import MmapedDict

from shop.patterns.observability import metric_names
from shop.patterns.observability.exporter import DIRECTORY_VARIABLE
from shop.patterns.observability.metrics_summary import HIT_OUTCOMES, LOOKUP_OUTCOMES

SumKey = tuple[str, ...]
"""A metric's field and the labels that matter: ``("answers", "local")``."""
NO_SUM: SumKey = ()
"""For a metric that the lab does not show live."""
OPEN = 2
"""The value of an open breaker's gauge."""
_PLAIN: Mapping[str, SumKey] = {metric_names.DB_QUERIES: ("queries",), metric_names.HTTP_IN_FLIGHT: ("in_flight",)}
_BUCKET = f"{metric_names.HTTP_DURATION}_bucket"


@dataclass(frozen=True, slots=True)
class WebSums:
    """Sums over all web processes since their start."""

    requests: int = 0
    failed: int = 0
    """Responses of status 500 and above."""
    queries: int = 0
    in_flight: int = 0
    """Requests in progress now."""
    answers: Mapping[str, int] = field(default_factory=dict)
    """Layer to the number of requests that it answered."""
    lookups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Cache layer to its look-ups, and those of them that were hits."""
    durations: Mapping[float, int] = field(default_factory=dict)
    """Upper bound in seconds to the number of requests of up to that duration, and longer than the bound before."""
    breakers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Dependency to the state of its breaker in each process, as its gauge counts them."""


class WebSumsReader:
    """Reads the sums of all web processes of this server.

    Args:
        own: this process's registry, read if it is the server's only process.
    """

    def __init__(self, own: CollectorRegistry) -> None:
        self._own = own
        self._keys: dict[str, SumKey] = {}

    def read(self) -> WebSums:
        """Return the sums of now."""
        directory = os.environ.get(DIRECTORY_VARIABLE)
        if directory is not None:
            return add_up(self._stored(Path(directory)))
        samples = (sample for family in self._own.collect() for sample in family.samples)
        return add_up(_separate((sum_key(sample.name, sample.labels), sample.value) for sample in samples))

    def _stored(self, directory: Path) -> Iterator[tuple[SumKey, float]]:
        for entry in os.scandir(directory):
            try:
                values = MmapedDict.read_all_values_from_file(entry.path)  # type: ignore[no-untyped-call]
            except FileNotFoundError:
                continue  # a process has ended
            for text, value, _, _ in values:
                key = self._keys.get(text)
                if key is None:
                    _, name, labels, _ = json.loads(text)
                    key = self._keys[text] = sum_key(name, labels)
                if key:
                    yield key, value


def sum_key(name: str, labels: Mapping[str, str]) -> SumKey:
    """Return the sum that a sample belongs to; :data:`NO_SUM` for a metric that is not shown."""
    if name in _PLAIN:
        return _PLAIN[name]
    if name == metric_names.HTTP_REQUESTS:
        return ("failed",) if labels["status"] == "5xx" else ("requests",)
    if name == metric_names.HTTP_ANSWERS:
        return ("answers", labels["layer"])
    if name == metric_names.CACHE_LOOKUPS and labels["outcome"] in LOOKUP_OUTCOMES:
        return ("hits" if labels["outcome"] in HIT_OUTCOMES else "misses", labels["layer"])
    if name == _BUCKET:
        return ("durations", labels["le"], labels["method"], labels["route"], labels["purpose"])
    if name == metric_names.BREAKER_STATE:
        return ("breakers", labels["dependency"])
    if name == metric_names.CACHE_DOWN:
        return ("down", labels["layer"])
    return NO_SUM


def add_up(values: Iterable[tuple[SumKey, float]]) -> WebSums:
    """Add up values by their keys; those of the durations each count the requests of one bucket alone."""
    sums: Counter[SumKey] = Counter()
    breakers: dict[str, tuple[int, ...]] = {}
    for key, value in values:
        if key and key[0] in ("breakers", "down"):  # a cache that is left alone is an open breaker
            state = int(value) if key[0] == "breakers" else OPEN * int(value)
            breakers[key[1]] = (*breakers.get(key[1], ()), state)
        elif key:
            sums[key[:2]] += int(value)

    def named(name: str) -> dict[str, int]:
        return {key[1]: count for key, count in sums.items() if key[0] == name}

    hits, misses = named("hits"), named("misses")
    return WebSums(
        requests=sums["requests",] + sums["failed",],
        failed=sums["failed",],
        queries=sums["queries",],
        in_flight=sums["in_flight",],
        answers=named("answers"),
        lookups={name: (hits.get(name, 0) + misses.get(name, 0), hits.get(name, 0)) for name in hits | misses},
        durations=dict(sorted((float(bound), count) for bound, count in named("durations").items())),
        breakers=breakers,
    )


def _separate(values: Iterable[tuple[SumKey, float]]) -> Iterator[tuple[SumKey, float]]:
    """Turn the buckets of a registry, which contain the shorter ones too, into those of the files, which do not."""
    before: dict[SumKey, float] = {}
    for key, value in values:
        if key and key[0] == "durations":
            series = key[2:]
            yield key, value - before.get(series, 0.0)
            before[series] = value
        elif key:
            yield key, value
