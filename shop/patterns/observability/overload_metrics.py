"""Metrics of admission: requests refused before they took a thread, by class and reason, and the present limit."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from shop.patterns.observability import metric_names


class OverloadMetrics:
    """The admission metrics of one process.

    Args:
        registry: exposes them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refused = Counter(
            metric_names.OVERLOAD_REFUSED,
            "Requests refused before they took a thread: the queue was full, or they had waited too long.",
            ["priority", "reason"],
            registry=registry,
        )
        self._limit = Gauge(
            metric_names.OVERLOAD_LIMIT,
            "Requests that may run at once, in all processes together.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._waiting = Gauge(
            metric_names.OVERLOAD_WAITING,
            "Requests that wait for a thread.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._full_lanes = Gauge(
            metric_names.OVERLOAD_FULL_LANES,
            "Lanes of request threads without a free thread, in all processes together.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def count_refusal(self, priority: str, reason: str) -> None:
        """Count one refused request."""
        self._refused.labels(priority, reason).inc()

    def measure(self, limit: int, waiting: int, full_lanes: int) -> None:
        """Show the present limit, queue and lanes."""
        self._full_lanes.set(full_lanes)
        self._limit.set(limit)
        self._waiting.set(waiting)
