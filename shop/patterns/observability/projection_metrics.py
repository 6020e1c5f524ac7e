"""Metrics of a projection: how far the read model is behind."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Histogram

from shop.patterns.observability import metric_names

LAG_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""From an idle worker to a worker that was down."""


class ProjectionMetrics:
    """The lag of a projection.

    Args:
        registry: exposes the metric.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            metric_names.PROJECTION_LAG,
            "Time from an order's event to the read model that shows it.",
            buckets=LAG_BUCKETS_S,
            registry=registry,
        )

    def observe_lag(self, lags_s: Iterable[float]) -> None:
        """Record the lag of each projected event, in seconds."""
        for lag_s in lags_s:
            self._lag.observe(lag_s)
