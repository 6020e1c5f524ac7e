"""The name of every metric, once: for the code that counts, the code that reads it back, and the lab.

This module imports nothing, so a process without prometheus_client can read it. A counter ends in ``_total``. A
histogram adds ``_bucket``, ``_count`` and ``_sum`` to its name. Alerts and dashboards write the same names as text.
Source: Prometheus' documentation, "Metric and label naming".
"""

HTTP_REQUESTS = "shop_http_requests_total"
HTTP_ANSWERS = "shop_http_answers_total"
HTTP_DURATION = "shop_http_request_duration_seconds"
HTTP_IN_FLIGHT = "shop_http_in_flight"
HTTP_DEADLINE_REFUSALS = "shop_http_deadline_refusals_total"
OVERLOAD_REFUSED = "shop_overload_refused_total"
OVERLOAD_LIMIT = "shop_overload_concurrency_limit"
OVERLOAD_WAITING = "shop_overload_waiting"
OVERLOAD_FULL_LANES = "shop_overload_full_lanes"
DB_QUERIES = "shop_db_queries_total"
DB_RETRIES = "shop_db_retries_total"
DEGRADED = "shop_degraded_total"
RATE_LIMITED_REQUESTS = "shop_rate_limited_requests_total"
SWITCH_SNAPSHOT = "shop_switches_snapshot"

CACHE_PREFIX = "shop_cache_"
CACHE_LOOKUPS = "shop_cache_lookups_total"
CACHE_LOADS = "shop_cache_loads_total"
CACHE_LOAD_DURATION = "shop_cache_load_seconds"
CACHE_WAIT_DURATION = "shop_cache_wait_seconds"
CACHE_STORED_BYTES = "shop_cache_stored_bytes_total"
CACHE_HELD_BYTES = "shop_cache_held_bytes"
CACHE_EVICTIONS = "shop_cache_evictions_total"
CACHE_EVICTED_BYTES = "shop_cache_evicted_bytes_total"
CACHE_ANOMALIES = "shop_cache_anomalies_total"
CACHE_OUTAGES = "shop_cache_outages_total"
CACHE_DOWN = "shop_cache_down"

EDGE_REQUESTS = "shop_edge_requests_total"
EDGE_DURATION = "shop_edge_request_duration_seconds"
EDGE_PURGES = "shop_edge_purges_total"
EDGE_PURGE_FAILURES = "shop_edge_purge_failures_total"
EDGE_PURGED_ANSWERS = "shop_edge_purged_answers_total"

DEPENDENCY_ATTEMPTS = "shop_dependency_attempts_total"
DEPENDENCY_DURATION = "shop_dependency_attempt_seconds"
DEPENDENCY_RETRIES = "shop_dependency_retries_total"
BREAKER_STATE = "shop_breaker_state"
BREAKER_CHANGES = "shop_breaker_changes_total"

MESSAGE_LAG = "shop_message_lag_seconds"
DELIVERIES = "shop_deliveries_total"
OUTBOX_WAITING = "shop_outbox_waiting"
OUTBOX_LAG = "shop_outbox_lag_seconds"
PROJECTION_LAG = "shop_orders_projection_lag_seconds"
PAYMENT_WEBHOOKS = "shop_payment_webhooks_total"
