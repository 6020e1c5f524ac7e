"""The figures of one edge: rate, errors and duration of what it answered, and how often its purger deleted how much.

nginx's open-source build exports none of its own. The process beside it counts what its log says.
"""

import threading
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class EdgeAnswers(Collector):
    """What shoppers were answered at the edge, kept answers and the application's alike; for several threads.

    prometheus_client's own histogram takes one observation at a time; a busy edge makes thousands a second.

    Args:
        registry: where the figures are found again.
        buckets_s: upper bounds of the histogram of durations, in seconds.
    """

    def __init__(self, registry: CollectorRegistry, buckets_s: Sequence[float]) -> None:
        self._lock = threading.Lock()
        self._buckets_s = tuple(buckets_s)
        self._requests: Tally[tuple[str, str, str]] = Tally()
        self._durations: dict[str, list[int]] = {}
        self._sums_s: Tally[str] = Tally()
        registry.register(self)

    def answered(self, ttl_class: str, outcome: str, status: int, duration_s: float, count: int) -> None:
        """Count answers that are alike.

        Args:
            ttl_class: the time-to-live class.
            outcome: what became of the look-up.
            status: HTTP status, counted by its class.
            duration_s: how long each took, in seconds, the sending to the client included.
            count: how many there were.
        """
        with self._lock:
            self._requests[(ttl_class, outcome, f"{status // 100}xx")] += count
            slots = self._durations.setdefault(outcome, [0] * (len(self._buckets_s) + 1))
            slots[bisect_left(self._buckets_s, duration_s)] += count
            self._sums_s[outcome] += duration_s * count  # type: ignore[assignment]  # a sum, not a count

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        labels = ("ttl_class", "outcome", "status")
        requests = CounterMetricFamily("shop_edge_requests", "Requests answered at the edge.", labels=labels)
        durations = HistogramMetricFamily(
            "shop_edge_request_duration_seconds",
            "Time from the first byte read by the edge to the last one sent, in whole milliseconds.",
            labels=("outcome",),
        )
        with self._lock:
            for key, count in self._requests.items():
                requests.add_metric(key, count)
            for outcome, slots in self._durations.items():
                durations.add_metric([outcome], self._cumulated(slots), self._sums_s[outcome])
        yield requests
        yield durations

    def _cumulated(self, slots: Sequence[int]) -> list[tuple[str, float]]:
        found, total = [], 0
        for bound, count in zip((*self._buckets_s, float("inf")), slots, strict=True):
            total += count
            found.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
        return found


class EdgeMetrics:
    """Counts answers and deletions.

    Args:
        registry: where the figures are found again.
        buckets_s: upper bounds of the histogram of durations, in seconds.
    """

    def __init__(self, registry: CollectorRegistry, buckets_s: Sequence[float]) -> None:
        self.answers = EdgeAnswers(registry, buckets_s)
        self._purges = Counter("shop_edge_purges", "Deletions of what had ended.", ["kind"], registry=registry)
        self._failures = Counter(
            "shop_edge_purge_failures", "Deletions that failed and are tried again.", registry=registry
        )
        self._files = Counter("shop_edge_purged_answers", "Answers deleted.", ["kind"], registry=registry)

    def purge_failed(self) -> None:
        """Count that something which has ended could not be deleted at once, and is tried again."""
        self._failures.inc()

    def purged(self, kind: str, answers: int) -> None:
        """Count one deletion.

        Args:
            kind: ``tags``, ``late`` where it is the repetition for late fills, or ``flush`` where all is dropped.
            answers: how many answers were there to delete.
        """
        self._purges.labels(kind).inc()
        self._files.labels(kind).inc(answers)
