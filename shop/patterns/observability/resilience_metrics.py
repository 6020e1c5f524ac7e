"""Metrics of calls to other servers, and the subscriber that turns their events into metrics and log lines.

The labels are dependency and outcome, a handful of values each.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shop.patterns.observability import metric_names
from shop.patterns.resilience.events import (
    AttemptFinished,
    BreakerChanged,
    CallThrottled,
    Event,
    NotRetried,
    RetryScheduled,
)

DURATION_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a refusal without a call to a call without a time limit."""

STATES: Mapping[str, int] = MappingProxyType({"closed": 0, "half-open": 1, "open": 2})
"""The state of a breaker as the value of its gauge."""

_log = logging.getLogger("shop.resilience")


class ResilienceMetrics:
    """Attempts, retries and state changes of breakers.

    Args:
        registry: exposes them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, description: str, labels: list[str]) -> Counter:
            return Counter(name, description, labels, registry=registry)

        self._attempts = counter(
            metric_names.DEPENDENCY_ATTEMPTS, "Attempts to call another server.", ["dependency", "outcome"]
        )
        self._duration = Histogram(
            metric_names.DEPENDENCY_DURATION,
            "Duration of attempts, immediate refusals included.",
            ["dependency"],
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._retries = counter(
            metric_names.DEPENDENCY_RETRIES, "Retries, made or refused, and the reason.", ["dependency", "outcome"]
        )
        self._state = Gauge(
            metric_names.BREAKER_STATE,
            "State of a breaker in each process: 0 closed, 1 half-open, 2 open.",
            ["dependency"],
            registry=registry,
            multiprocess_mode="liveall",
        )
        self._changes = counter(metric_names.BREAKER_CHANGES, "State changes of a breaker.", ["dependency", "to"])

    def observe(self, event: Event) -> None:
        """Count one event."""
        match event:
            case AttemptFinished(dependency, outcome, seconds):
                self._attempts.labels(dependency, outcome).inc()
                self._duration.labels(dependency).observe(seconds)
            case RetryScheduled(dependency):
                self._retries.labels(dependency, "made").inc()
            case NotRetried(dependency, because):
                self._retries.labels(dependency, f"no {because} left").inc()
            case CallThrottled(dependency):
                self._attempts.labels(dependency, "throttled").inc()
            case BreakerChanged(dependency, _, after):
                self._changes.labels(dependency, after).inc()
                self._state.labels(dependency).set(STATES[after])


class ResilienceTelemetry:
    """Subscriber of breakers and retries.

    Args:
        metrics: counts the events.
    """

    def __init__(self, metrics: ResilienceMetrics) -> None:
        self._metrics = metrics

    def __call__(self, event: Event) -> None:
        """Handle one event."""
        self._metrics.observe(event)
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
