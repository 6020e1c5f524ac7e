"""What the guards of a dependency say, turned into figures and, when a breaker changes, into a log line."""

import logging

from shop.patterns.observability.metrics import ProcessMetrics
from shop.patterns.resilience.events import BreakerChanged, Event

_log = logging.getLogger("shop.resilience")


class ResilienceTelemetry:
    """Subscribes to breakers and retries.

    Args:
        metrics: counts.
    """

    def __init__(self, metrics: ProcessMetrics) -> None:
        self._metrics = metrics.resilience

    def __call__(self, event: Event) -> None:
        """Note one event."""
        self._metrics.noted(event)
        if isinstance(event, BreakerChanged):
            _log.warning(
                "breaker_changed",
                extra={
                    "dependency": event.dependency,
                    "from": event.before,
                    "to": event.after,
                    "calls": event.calls,
                    "failure_rate": round(event.failure_rate, 3),
                    "slow_rate": round(event.slow_rate, 3),
                },
            )
