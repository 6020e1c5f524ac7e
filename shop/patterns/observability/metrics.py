"""The metrics of one process: rate, errors and duration of each route (RED), and the metrics of each subject.

Problem: operators must see that a store is slow before shoppers report it.
Method: counters and histograms with bounded labels: the route's template instead of the path, the class of the status,
no user, no slug. With several worker processes each process keeps its metrics in files of its own (Prometheus'
multi-process mode), and one exporter adds them up: see ``exporter``.
Source: Tom Wilkie, "The RED method"; Prometheus' documentation, "Metric and label naming".
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shop.patterns.observability import metric_names
from shop.patterns.observability.answering_layer import answering_layer
from shop.patterns.observability.cache_metrics import CacheMetrics
from shop.patterns.observability.edge_metrics import EdgeMetrics
from shop.patterns.observability.overload_metrics import OverloadMetrics
from shop.patterns.observability.projection_metrics import ProjectionMetrics
from shop.patterns.observability.queue_metrics import QueueMetrics
from shop.patterns.observability.rate_limit_metrics import RateLimitMetrics
from shop.patterns.observability.request_record import RequestRecord
from shop.patterns.observability.resilience_metrics import ResilienceMetrics
from shop.patterns.observability.webhook_metrics import WebhookMetrics

DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""From a hit of the local cache to the statement timeout."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "unmatched"


class ProcessMetrics:
    """All metrics of one process.

    Args:
        registry: exposes them; a new one by default, so that two processes of a test never share a name.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._requests = Counter(
            metric_names.HTTP_REQUESTS,
            "Requests answered; purpose prefetch: nobody waits for the answer.",
            ["method", "route", "status", "purpose"],
            registry=self.registry,
        )
        self._answers = Counter(
            metric_names.HTTP_ANSWERS,
            "Requests answered, by the layer that answered: browser, local, shared, database, application.",
            ["layer"],
            registry=self.registry,
        )
        self._duration = Histogram(
            metric_names.HTTP_DURATION,
            "Time from the first byte read by the application to its response.",
            ["method", "route", "purpose"],
            buckets=DURATION_BUCKETS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            metric_names.HTTP_IN_FLIGHT,
            "Requests in progress: each holds a thread.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        """The request middleware counts it up and down."""
        self.switch_snapshot = Gauge(
            metric_names.SWITCH_SNAPSHOT,
            "Digest of the switches' values in each process; a process that differs has not applied a change yet.",
            registry=self.registry,
            multiprocess_mode="liveall",
        )
        self._queries = Counter(
            metric_names.DB_QUERIES, "Database statements run for requests.", registry=self.registry
        )
        self._retries = Counter(
            metric_names.DB_RETRIES, "Transactions run again after a conflict.", registry=self.registry
        )
        self.cache = CacheMetrics(self.registry)
        self.edge = EdgeMetrics(self.registry, DURATION_BUCKETS_S)
        self.resilience = ResilienceMetrics(self.registry)
        self.projections = ProjectionMetrics(self.registry)
        self.queue = QueueMetrics(self.registry)
        self.webhooks = WebhookMetrics(self.registry)
        self.rate_limits = RateLimitMetrics(self.registry)
        self.overload = OverloadMetrics(self.registry)
        self._degraded = Counter(
            metric_names.DEGRADED, "Answers without one of their parts.", ["part"], registry=self.registry
        )
        self._deadline_refusals = Counter(
            metric_names.HTTP_DEADLINE_REFUSALS,
            "Requests not begun, since their time was used up: in the queue, or by the client's own limit.",
            ["cause"],
            registry=self.registry,
        )
        self._layer_answers: dict[str, Counter] = {}
        self._route_metrics: dict[tuple[str, str, int, str], tuple[Counter, Histogram]] = {}

    def observe_deadline_refusal(self, cause: str) -> None:
        """Count a request whose deadline had passed before its start; ``cause`` is ``queue`` or ``client``."""
        self._deadline_refusals.labels(cause).inc()

    def observe_request(self, method: str, route: str, status: int, record: RequestRecord) -> None:
        """Count one request.

        Args:
            method: the request's method; an unknown one is counted as ``other``.
            route: the route's template, or an empty string if no route matched.
            status: HTTP status, counted by its class.
            record: the request's cost.
        """
        key = (method if method in METHODS else "other", route or NO_ROUTE, status // 100, record.purpose)
        metrics = self._route_metrics.get(key)
        if metrics is None:  # labels() takes a lock and checks its arguments: do it once a combination
            metrics = self._route_metrics[key] = (
                self._requests.labels(key[0], key[1], f"{key[2]}xx", record.purpose),
                self._duration.labels(key[0], key[1], record.purpose),
            )
        metrics[0].inc()
        metrics[1].observe(record.elapsed_s)
        layer = answering_layer(status, record.cache.values(), record.queries)
        answers = self._layer_answers.get(layer)
        if answers is None:
            answers = self._layer_answers[layer] = self._answers.labels(layer)
        answers.inc()
        if record.queries:
            self._queries.inc(record.queries)
        if record.retries:
            self._retries.inc(record.retries)
        for part in record.degraded:
            self._degraded.labels(part).inc()
