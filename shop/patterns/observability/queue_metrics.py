"""The figures of outbox and queue: how long messages take, what became of them, what waits."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LAG_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 300.0)
"""From one round of the relay to an outage; 0.2 is the promise."""


class QueueMetrics:
    """Counts messages.

    Args:
        registry: where the figures are found again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            "shop_message_lag_seconds",
            "From a message's commit to the end of its handling.",
            ["consumer"],
            buckets=LAG_BUCKETS_S,
            registry=registry,
        )
        self._deliveries = Counter(
            "shop_deliveries", "What became of deliveries.", ["consumer", "outcome"], registry=registry
        )
        self._waiting = Gauge(
            "shop_outbox_waiting",
            "Messages not handed to the queue yet.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._oldest = Gauge(
            "shop_outbox_lag_seconds",
            "How long the message that is due the longest has been due.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )

    def delivered(self, consumer: str, outcome: str, lag_s: float) -> None:
        """Count one delivery; how long it took says something only of those that were handled."""
        self._deliveries.labels(consumer, outcome).inc()
        if outcome == "handled":
            self._lag.labels(consumer).observe(lag_s)

    def backlog(self, waiting: int, oldest_s: float) -> None:
        """Note what waits in the outbox."""
        self._waiting.set(waiting)
        self._oldest.set(oldest_s)
