"""What becomes of the messages that another server sends us, by outcome, of which there are a handful."""

from prometheus_client import CollectorRegistry, Counter


class WebhookMetrics:
    """Counts messages of the payments provider.

    Args:
        registry: where the figures are found again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._messages = Counter(
            "shop_payment_webhooks", "Signed messages of the payments provider.", ["outcome"], registry=registry
        )

    def received(self, outcome: str) -> None:
        """Count one message."""
        self._messages.labels(outcome).inc()
