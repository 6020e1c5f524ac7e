"""Metrics of outbox and queue: lag of messages, outcomes of deliveries, size of the backlog."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shop.patterns.observability import metric_names

LAG_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 300.0)
"""From one round of the relay to an outage; 0.2 s is the promise."""


class QueueMetrics:
    """The metrics of outbox and queue.

    Args:
        registry: exposes them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            metric_names.MESSAGE_LAG,
            "Time from a message's commit to the end of its handling.",
            ["consumer"],
            buckets=LAG_BUCKETS_S,
            registry=registry,
        )
        self._deliveries = Counter(
            metric_names.DELIVERIES, "Outcomes of deliveries.", ["consumer", "outcome"], registry=registry
        )
        self._waiting = Gauge(
            metric_names.OUTBOX_WAITING,
            "Messages not sent to the queue yet.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._oldest = Gauge(
            metric_names.OUTBOX_LAG,
            "Seconds since the oldest due message became due.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )

    def observe_delivery(self, consumer: str, outcome: str, lag_s: float) -> None:
        """Count one delivery, and record its lag if the message was handled."""
        self._deliveries.labels(consumer, outcome).inc()
        if outcome == "handled":
            self._lag.labels(consumer).observe(lag_s)

    def set_backlog(self, waiting: int, oldest_s: float) -> None:
        """Set the number of messages in the outbox and the lag of the oldest due message, in seconds."""
        self._waiting.set(waiting)
        self._oldest.set(oldest_s)
