"""Metrics of the rate limits. Labels are the policies and the outcomes, never a client."""

import logging

from prometheus_client import CollectorRegistry, Counter

from shop.patterns.observability import metric_names

_log = logging.getLogger("shop.rate_limits")


class RateLimitMetrics:
    """Counts the limited requests.

    Args:
        registry: exposes the counter.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            metric_names.RATE_LIMITED_REQUESTS,
            "Requests of limited kinds: admitted, refused, or unchecked because the cache did not answer.",
            ["policy", "outcome"],
            registry=registry,
        )

    def count_request(self, policy: str, outcome: str) -> None:
        """Count one request.

        Args:
            policy: the name of its policy.
            outcome: ``admitted``, ``refused`` or ``unchecked``.
        """
        self._requests.labels(policy, outcome).inc()

    def report_outage(self, reason: str) -> None:
        """Log that requests are admitted unchecked; called once for each pause."""
        _log.warning("rate_limits_unchecked", extra={"reason": reason})
