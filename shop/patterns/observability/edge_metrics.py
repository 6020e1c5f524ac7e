"""Metrics of one edge, and the subscriber that turns the purger's events into metrics and log lines.

nginx's open-source build exports no metrics of its cache. The purger beside nginx reads its access log and counts the
rate, errors and duration of the responses, and the responses that each purge deleted.
"""

import logging
import threading
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from shop.patterns.edge.access_log import LoggedResponse
from shop.patterns.edge.tag_purger import EdgeFlushed, Event, PurgeFailed
from shop.patterns.observability import metric_names

_log = logging.getLogger("shop.edge_purger")


class EdgeResponseCollector(Collector):
    """Rate, errors and duration of the edge's responses, cached or from the application; thread-safe.

    prometheus_client's own histogram takes one observation at a time. A busy edge makes thousands a second.

    Args:
        registry: exposes them.
        buckets_s: upper bounds of the histogram of durations, in seconds.
    """

    def __init__(self, registry: CollectorRegistry, buckets_s: Sequence[float]) -> None:
        self._lock = threading.Lock()
        self._buckets_s = tuple(buckets_s)
        self._requests: Tally[tuple[str, str, str, str]] = Tally()
        self._durations: dict[str, list[int]] = {}
        self._sums_s: Tally[str] = Tally()
        registry.register(self)

    def observe(self, response: LoggedResponse, count: int) -> None:
        """Count identical responses.

        Args:
            response: what they have in common; the status is counted by its class.
            count: number of responses.
        """
        outcome, status = response.outcome, f"{response.status // 100}xx"
        with self._lock:
            self._requests[(response.ttl_class, outcome, status, response.purpose)] += count
            slots = self._durations.setdefault(outcome, [0] * (len(self._buckets_s) + 1))
            slots[bisect_left(self._buckets_s, response.duration_s)] += count
            self._sums_s[outcome] += response.duration_s * count  # type: ignore[assignment]  # a sum, not a count

    def collect(self) -> Iterator[Metric]:
        """Implement prometheus_client's ``Collector``."""
        labels = ("ttl_class", "outcome", "status", "purpose")
        requests = CounterMetricFamily(metric_names.EDGE_REQUESTS, "Requests answered at the edge.", labels=labels)
        durations = HistogramMetricFamily(
            metric_names.EDGE_DURATION,
            "Time from the first byte read by the edge to the last one sent, in whole milliseconds.",
            labels=("outcome",),
        )
        bounds = (*map(str, self._buckets_s), "+Inf")
        with self._lock:
            for key, count in self._requests.items():
                requests.add_metric(key, count)
            for outcome, slots in self._durations.items():
                cumulative = zip(bounds, map(float, accumulate(slots)), strict=True)
                durations.add_metric([outcome], list(cumulative), self._sums_s[outcome])
        yield requests
        yield durations


class EdgeMetrics:
    """The metrics of one edge: responses and purges.

    Args:
        registry: exposes them.
        buckets_s: upper bounds of the histogram of durations, in seconds.
    """

    def __init__(self, registry: CollectorRegistry, buckets_s: Sequence[float]) -> None:
        self.responses = EdgeResponseCollector(registry, buckets_s)
        self._purges = Counter(metric_names.EDGE_PURGES, "Purges of outdated responses.", ["kind"], registry=registry)
        self._failures = Counter(
            metric_names.EDGE_PURGE_FAILURES, "Purges that failed and are tried again.", registry=registry
        )
        self._deleted = Counter(metric_names.EDGE_PURGED_ANSWERS, "Answers deleted.", ["kind"], registry=registry)

    def count_failure(self) -> None:
        """Count one purge that failed and is tried again."""
        self._failures.inc()

    def count_purge(self, kind: str, responses: int) -> None:
        """Count one purge.

        Args:
            kind: ``tags``, ``late`` for the repetition against late fills, or ``flush`` for a purge of everything.
            responses: number of deleted responses.
        """
        self._purges.labels(kind).inc()
        self._deleted.labels(kind).inc(responses)


class EdgeTelemetry:
    """Subscriber of a purger.

    Args:
        metrics: counts purges and failures.
    """

    def __init__(self, metrics: EdgeMetrics) -> None:
        self._metrics = metrics

    def __call__(self, event: Event) -> None:
        """Handle one event."""
        if isinstance(event, PurgeFailed):
            self._metrics.count_failure()
            tags = list(event.tags) if event.tags is not None else None
            _log.warning("edge_not_purged", extra={"tags": tags, "reason": event.reason})
            return
        if isinstance(event, EdgeFlushed):
            self._metrics.count_purge("flush", event.files)
            _log.info("edge_flushed", extra={"reason": event.reason, "files": event.files})
            return
        self._metrics.count_purge("late" if event.late else "tags", event.files)
        _log.info(
            "edge_purged",
            extra={"tags": list(event.tags), "keys": event.keys, "files": event.files, "late": event.late},
        )
