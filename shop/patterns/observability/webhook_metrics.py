"""Metrics of received payment webhooks, by outcome, which has a handful of values."""

from prometheus_client import CollectorRegistry, Counter

from shop.patterns.observability import metric_names


class WebhookMetrics:
    """Counts webhooks of the payments provider.

    Args:
        registry: exposes the metric.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._webhooks = Counter(
            metric_names.PAYMENT_WEBHOOKS, "Signed webhooks of the payments provider.", ["outcome"], registry=registry
        )

    def count_webhook(self, outcome: str) -> None:
        """Count one webhook."""
        self._webhooks.labels(outcome).inc()
