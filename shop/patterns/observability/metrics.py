"""The figures of one process: rate, errors and duration a route (RED), and what the caches answered.

Problem: a store that is slow for some must show it before somebody calls.
Method: counters and histograms with bounded labels: the route's template, never the path; the class of a status; no
user, no slug. With several worker processes each keeps its figures in a file of its own (Prometheus' multi-process
mode) and one exporter adds them up: see ``exporter``.
Source: Tom Wilkie, "The RED method"; Prometheus' documentation, "Metric and label naming".
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shop.patterns.observability.cache_metrics import CacheMetrics
from shop.patterns.observability.edge_metrics import EdgeMetrics
from shop.patterns.observability.projection_metrics import ProjectionMetrics
from shop.patterns.observability.queue_metrics import QueueMetrics
from shop.patterns.observability.request_record import RequestRecord
from shop.patterns.observability.resilience_metrics import ResilienceMetrics
from shop.patterns.observability.webhook_metrics import WebhookMetrics

DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""From a hit of the local cache to the statement timeout."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "unmatched"


class ProcessMetrics:
    """Counts what one process does.

    Args:
        registry: where the figures are found again; a new one by default, so that two never share a name.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._requests = Counter(
            "shop_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._duration = Histogram(
            "shop_http_request_duration_seconds",
            "Time from the first byte read by the application to its answer.",
            ["method", "route"],
            buckets=DURATION_BUCKETS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "shop_http_in_flight",
            "Requests being answered: each holds a thread.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        """Counted up and down by whoever surrounds a request."""
        self._queries = Counter("shop_db_queries", "Database statements run for requests.", registry=self.registry)
        self._retries = Counter(
            "shop_db_retries", "Transactions run again because they lost a race.", registry=self.registry
        )
        self.cache = CacheMetrics(self.registry)
        self.edge = EdgeMetrics(self.registry, DURATION_BUCKETS_S)
        self.resilience = ResilienceMetrics(self.registry)
        self.projections = ProjectionMetrics(self.registry)
        self.queue = QueueMetrics(self.registry)
        self.webhooks = WebhookMetrics(self.registry)
        self._degraded = Counter("shop_degraded", "Answers that did without a part.", ["part"], registry=self.registry)
        self._of_route: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def request_answered(self, method: str, route: str, status: int, record: RequestRecord) -> None:
        """Count one request.

        Args:
            method: as asked; anything unheard of is counted as ``other``.
            route: the route's template, or an empty string where none matched.
            status: HTTP status, counted by its class.
            record: what it cost.
        """
        key = (method if method in METHODS else "other", route or NO_ROUTE, status // 100)
        found = self._of_route.get(key)
        if found is None:  # labels() looks up under a lock and checks its arguments: do it once a combination
            found = self._of_route[key] = (
                self._requests.labels(key[0], key[1], f"{key[2]}xx"),
                self._duration.labels(key[0], key[1]),
            )
        found[0].inc()
        found[1].observe(record.elapsed_s)
        if record.queries:
            self._queries.inc(record.queries)
        if record.retries:
            self._retries.inc(record.retries)
        for part in record.degraded:
            self._degraded.labels(part).inc()
