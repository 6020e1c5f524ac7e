"""What calls to other servers do, as figures: by dependency and outcome, of which there are a handful each."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from shop.patterns.resilience.events import AttemptFinished, BreakerChanged, Event, NotRetried, RetryScheduled

DURATION_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a refusal without a call to what a call may take when it has no limit."""


class ResilienceMetrics:
    """Counts attempts, retries and changes of breakers.

    Args:
        registry: where the figures are found again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, says: str, labels: list[str]) -> Counter:
            return Counter(f"shop_{name}", says, labels, registry=registry)

        self._attempts = counter("dependency_attempts", "Attempts to call another server.", ["dependency", "outcome"])
        self._duration = Histogram(
            "shop_dependency_attempt_seconds",
            "What attempts took, those included that were refused at once.",
            ["dependency"],
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._retries = counter("dependency_retries", "Retries, made or not, and why not.", ["dependency", "outcome"])
        self._changes = counter("breaker_changes", "Changes of a breaker's state.", ["dependency", "to"])

    def noted(self, event: Event) -> None:
        """Count one event."""
        match event:
            case AttemptFinished(dependency, outcome, seconds):
                self._attempts.labels(dependency, outcome).inc()
                self._duration.labels(dependency).observe(seconds)
            case RetryScheduled(dependency):
                self._retries.labels(dependency, "made").inc()
            case NotRetried(dependency, because):
                self._retries.labels(dependency, f"no {because} left").inc()
            case BreakerChanged(dependency, _, after):
                self._changes.labels(dependency, after).inc()
