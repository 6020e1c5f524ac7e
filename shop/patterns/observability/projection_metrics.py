"""How far a read model is behind, as figures."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Histogram

LAG_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""From a worker that waits for work to one that was away."""


class ProjectionMetrics:
    """Counts how late events are shown.

    Args:
        registry: where the figures are found again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            "shop_orders_projection_lag_seconds",
            "Time from an order's event to the read model that shows it.",
            buckets=LAG_BUCKETS_S,
            registry=registry,
        )

    def lagged(self, seconds: Iterable[float]) -> None:
        """Note how long each event took to be shown."""
        for one in seconds:
            self._lag.observe(one)
