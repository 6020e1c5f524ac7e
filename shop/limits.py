"""Every limit of the store, in one table: what is bounded, who owns the value, and why it has that value.

Problem: an unlimited queue hides an overload until everything in it is too late. A store has dozens of limits, in the
settings, in constants and in the configuration of its servers, and two of them can contradict each other.
Method: the table names the owner of each limit and no value (``shop/limit_values.py`` reads it). The reason is the
owner's own; it stands here only if the owner has no place for one. ``bin/shop reference`` makes a page of the table;
``shop/limit_rules.py`` says which limits must fit together.
Source: Nygard, "Release It!", "Bulkheads", "Unbounded result sets"; Google, "Site Reliability Engineering", ch. 22.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shop.limit_values import OwnedValue, is_setting, read_owner
from shop.settings import Settings

FACTORS: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "h": 3600.0, "days": 86_400.0, "MB": 1024.0 * 1024.0}
"""From a unit of time or size to seconds or bytes; other units are counted."""


@dataclass(frozen=True, slots=True)
class LimitEntry:
    """One limit.

    Args:
        name: in rules and messages; for a setting, its variable.
        bounds: what it bounds.
        unit: of the owner's number.
        owner: where the value is set, as in ``shop/limit_values.py``; empty for a setting, which its name says.
        reason: only if the owner gives none.
    """

    name: str
    bounds: str
    unit: str
    owner: str = ""
    reason: str = ""

    @property
    def is_setting(self) -> bool:
        """Return whether the user sets it."""
        return is_setting(self.name)

    def read(self, settings: Settings) -> OwnedValue | None:
        """Return the value in the owner's unit; ``None`` if this installation does not have the owner's file."""
        return read_owner(self.owner or self.name, settings)

    def in_base_unit(self, settings: Settings) -> float | None:
        """Return the value in seconds, bytes or pieces; ``None`` as :meth:`read`."""
        value = self.read(settings)
        return None if value is None else value.number * FACTORS.get(self.unit, 1.0)


LIMITS: Mapping[str, tuple[LimitEntry, ...]] = MappingProxyType(
    {
        "From the client to the edge": (
            LimitEntry(
                "nginx processes",
                "processes of nginx",
                "processes",
                "nginx main worker_processes",
                "The second answers while the first compresses, or reads from a busy disk.",
            ),
            LimitEntry(
                "nginx connections",
                "open connections of one nginx process",
                "connections",
                "nginx events worker_connections",
                "A request needs one to the client and one to the application.",
            ),
            LimitEntry("nginx files", "open files of one nginx process", "files", "nginx main worker_rlimit_nofile"),
            LimitEntry(
                "edge requests of an address, production",
                "requests of one address at once, in production",
                "requests",
                "shop/stack/edge.py CONNECTIONS production",
            ),
            LimitEntry(
                "edge requests of an address, lab",
                "requests of one address at once, in the lab",
                "requests",
                "shop/stack/edge.py CONNECTIONS lab",
            ),
            LimitEntry(
                "edge head time",
                "from the first to the last byte of a request's head",
                "s",
                "nginx server client_header_timeout",
                "A head fits into one packet or two: this is far more than a slow client needs.",
            ),
            LimitEntry(
                "edge body pause",
                "between two pieces of a body",
                "s",
                "nginx server client_body_timeout",
                "As for the head; the whole body has a limit of its own.",
            ),
            LimitEntry("edge body time", "the whole body of a request", "ms", "nginx server $edge_body_ms"),
            LimitEntry(
                "edge send pause",
                "between two pieces of an answer that a client takes",
                "s",
                "nginx server send_timeout",
                "A client that reads nothing holds memory; the application is not involved.",
            ),
            LimitEntry(
                "edge idle time",
                "an idle connection of a client",
                "s",
                "nginx server keepalive_timeout",
                "Longer than a quick look at a page; a connection costs 424 bytes.",
            ),
            LimitEntry("edge body", "the body of a request", "bytes", "nginx server client_max_body_size"),
            LimitEntry(
                "edge body memory", "the part of a body in memory", "bytes", "nginx server client_body_buffer_size"
            ),
            LimitEntry(
                "edge head line",
                "the request line, and each line of the head",
                "bytes",
                "nginx server large_client_header_buffers",
                "nginx allocates such a buffer only for a head that needs it.",
            ),
            LimitEntry(
                "edge store",
                "the kept answers of the edge",
                "bytes",
                "nginx http max_size",
                "On a full disk the oldest answers are deleted sooner.",
            ),
        ),
        "From the edge to the application": (
            LimitEntry(
                "edge kept connections",
                "idle connections of one nginx process to the application",
                "connections",
                "nginx upstream keepalive",
                "More than the request threads of two processes.",
            ),
            LimitEntry(
                "edge kept time",
                "an idle connection to the application",
                "s",
                "nginx upstream keepalive_timeout",
            ),
            LimitEntry("edge connect time", "connecting to the application", "s", "nginx http proxy_connect_timeout"),
            LimitEntry(
                "edge send time",
                "between two pieces of a request that the application takes",
                "s",
                "nginx http proxy_send_timeout",
                "A request is in nginx' memory and small: the application takes it at once.",
            ),
            LimitEntry(
                "edge wait",
                "between two pieces of the application's answer",
                "s",
                "nginx http proxy_read_timeout",
            ),
            LimitEntry(
                "edge collapse wait",
                "a miss that waits for another's fill",
                "s",
                "nginx http proxy_cache_lock_timeout",
                "After it the request asks the application, in which only one request loads.",
            ),
        ),
        "The web server": (
            LimitEntry("SHOP_WORKERS", "web processes", "processes"),
            LimitEntry("SHOP_THREADS", "request threads of a process", "threads"),
            LimitEntry("SHOP_WEB_QUEUE_LENGTH", "requests of a process that wait for a thread", "requests"),
            LimitEntry("SHOP_WEB_QUEUE_WAIT_MS", "wait of a request for a thread", "ms"),
            LimitEntry(
                "lanes",
                "parts of a process's request threads, with `overload.lanes`",
                "lanes",
                "shop/patterns/overload/lanes.py LANES",
            ),
            LimitEntry(
                "lanes of a client",
                "lanes that one client may use with shuffle sharding",
                "lanes",
                "shop/patterns/overload/lanes.py LANES_OF_A_CLIENT",
            ),
            LimitEntry(
                "gunicorn connections",
                "open connections of a process",
                "connections",
                "shop/stack/gunicorn_conf.py worker_connections",
            ),
            LimitEntry(
                "gunicorn backlog",
                "connections that wait in the kernel",
                "connections",
                "shop/stack/gunicorn_conf.py backlog",
            ),
            LimitEntry(
                "measured rate",
                "most warm pages a second, measured without the edge",
                "/s",
                "docs/figures/cache-layers.json local most_rps",
                "No limit: the backlog is derived from it.",
            ),
            LimitEntry("gunicorn idle time", "an idle connection", "s", "shop/stack/gunicorn_conf.py keepalive"),
            LimitEntry(
                "gunicorn heartbeat", "a process without a heartbeat", "s", "shop/stack/gunicorn_conf.py timeout"
            ),
            LimitEntry(
                "gunicorn stop", "running requests at a stop", "s", "shop/stack/gunicorn_conf.py graceful_timeout"
            ),
            LimitEntry(
                "gunicorn request line",
                "the request line",
                "bytes",
                "shop/stack/gunicorn_conf.py limit_request_line",
                "Enough for any browser.",
            ),
            LimitEntry(
                "gunicorn fields",
                "lines of a request's head",
                "lines",
                "shop/stack/gunicorn_conf.py limit_request_fields",
                "Far more than a browser sends.",
            ),
            LimitEntry(
                "gunicorn field",
                "one line of a request's head",
                "bytes",
                "shop/stack/gunicorn_conf.py limit_request_field_size",
            ),
        ),
        "A request": (
            LimitEntry("SHOP_REQUEST_TIMEOUT_MS", "the whole of a request", "ms"),
            LimitEntry(
                "oldest stamp",
                "the age of the edge's stamp, from which the time of a request counts",
                "s",
                "shop/patterns/resilience/deadlines.py LONGEST_QUEUE_S",
            ),
            LimitEntry("body", "the body of a request", "bytes", "shop/web/security.py MAX_BODY_BYTES"),
            LimitEntry(
                "form parts",
                "fields of a form",
                "fields",
                "shop/web/security.py MAX_FORM_PARTS",
                "A full cart's form has one field a line.",
            ),
            LimitEntry(
                "idempotency key",
                "the length of an idempotency key",
                "characters",
                "shop/patterns/idempotency/keys.py MAX_LENGTH",
                "A UUID has 36; the key is part of an index.",
            ),
            LimitEntry(
                "replayed body",
                "a stored response of an idempotency key",
                "bytes",
                "shop/patterns/idempotency/replay_rules.py MAX_BODY",
            ),
            LimitEntry("SHOP_IDEMPOTENCY_KEPT_H", "the life of an idempotency key", "h"),
            LimitEntry(
                "page of the API",
                "products of one page of the API",
                "products",
                "shop/catalog/listing/product_lister.py MAX_LIMIT",
                "It bounds the query, the answer and its place in the cache.",
            ),
            LimitEntry("search text", "a search", "characters", "shop/catalog/listing/search.py MAX_LENGTH"),
            LimitEntry(
                "ranked matches",
                "matches of a search that are ranked",
                "products",
                "shop/catalog/listing/search.py DEPTH",
            ),
            LimitEntry("cart lines", "products of a cart", "products", "shop/cart/models.py MAX_LINES"),
            LimitEntry("cart pieces", "pieces of one product", "pieces", "shop/cart/models.py MAX_QUANTITY"),
        ),
        "Bulkheads in a web process": (
            LimitEntry(
                "list wait",
                "a wait for a turn to build a list",
                "s",
                "shop/catalog/listing/list_bulkhead.py TURN_TIMEOUT_S",
            ),
            LimitEntry(
                "hashes", "passwords that are hashed at once", "hashes", "shop/accounts/passwords.py CONCURRENT_HASHES"
            ),
            LimitEntry(
                "hash queue", "callers that wait to hash", "callers", "shop/accounts/passwords.py WAITING_CALLERS"
            ),
            LimitEntry("hash wait", "a wait for a turn to hash", "s", "shop/accounts/passwords.py QUEUE_TIMEOUT_S"),
        ),
        "The database": (
            LimitEntry("SHOP_DB_POOL_SIZE", "connections of a web process", "connections"),
            LimitEntry("SHOP_DB_POOL_TIMEOUT_S", "a wait for a connection", "s"),
            LimitEntry(
                "worker's loops",
                "connections of the worker's loops",
                "connections",
                "shop/worker.py CONNECTIONS_OF_LOOPS",
            ),
            LimitEntry(
                "reserve", "connections of everything else", "connections", "shop/limits.py RESERVED_CONNECTIONS"
            ),
            LimitEntry(
                "PostgreSQL connections",
                "sessions of the stack's own PostgreSQL",
                "connections",
                "shop/stack/postgres.py CONFIGURATION max_connections",
                "PostgreSQL's own default. Each session is a process with some 20 MB.",
            ),
            LimitEntry("SHOP_DB_CONNECT_TIMEOUT_S", "opening a connection", "s"),
            LimitEntry("SHOP_DB_LOCK_TIMEOUT_MS", "a wait for one lock", "ms"),
            LimitEntry("SHOP_DB_STATEMENT_TIMEOUT_MS", "one statement", "ms"),
            LimitEntry(
                "statement grace", "the client's wait beyond a limit", "s", "shop/database/connection.py GRACE_S"
            ),
            LimitEntry(
                "transaction attempts",
                "attempts of a transaction that lost a race",
                "attempts",
                "shop/database/transactions.py RETRY_ATTEMPTS",
                "After five lost races there are too many writers; more attempts would add to them.",
            ),
            LimitEntry(
                "pool's idle time", "a connection that is not checked", "s", "shop/database/pool_events.py IDLE_S"
            ),
            LimitEntry("SHOP_DB_IDLE_S", "an idle session", "s"),
        ),
        "The caches": (
            LimitEntry("SHOP_CACHE_TIMEOUT_MS", "one step of a call to Valkey", "ms"),
            LimitEntry(
                "cache pause",
                "the time without calls after a failure",
                "s",
                "shop/patterns/caching/valkey_client.py OUTAGE_PAUSE_S",
            ),
            LimitEntry(
                "fill wait",
                "a wait for another reader's load",
                "s",
                "shop/patterns/caching/lock_strategy.py MAX_WAIT_S",
            ),
            LimitEntry(
                "cold fills",
                "loads of a process that fill the cache at once",
                "loads",
                "shop/patterns/caching/cold_fill_limit.py PLACES",
            ),
            LimitEntry(
                "cold fill wait",
                "a load's wait for a place",
                "s",
                "shop/patterns/caching/cold_fill_limit.py PLACE_WAIT_S",
            ),
            LimitEntry(
                "cache wait after a deadline",
                "a call after its request's deadline",
                "s",
                "shop/patterns/caching/valkey_client.py LEAST_WAIT_S",
            ),
            LimitEntry(
                "invalidation wait",
                "a write's wait for the local copies of other processes",
                "s",
                "shop/patterns/caching/invalidation_bus.py BARRIER_S",
            ),
            LimitEntry("SHOP_CACHE_MEMORY_MB", "memory of the stack's own Valkey", "MB"),
            LimitEntry("SHOP_CACHE_LOCAL_MB", "local copies of a process", "MB"),
            LimitEntry("cached value", "one value", "bytes", "shop/patterns/caching/loader.py VALUE_LIMIT_BYTES"),
            LimitEntry("fast path", "remembered URLs of a process", "bytes", "shop/web/fast_path.py MAX_BYTES"),
            LimitEntry("fast path URL", "one remembered URL", "bytes", "shop/web/fast_path.py MAX_URL_BYTES"),
            LimitEntry(
                "refresh queue",
                "refreshes that wait",
                "keys",
                "shop/patterns/caching/refresh.py QUEUE_LIMIT",
            ),
        ),
        "The payments provider": (
            LimitEntry("SHOP_PAYMENTS_TIMEOUT_MS", "one call", "ms"),
            LimitEntry("SHOP_PAYMENTS_SLOW_MS", "a call that does not count as slow", "ms"),
            LimitEntry("SHOP_PAYMENTS_ATTEMPTS", "attempts of a call", "attempts"),
            LimitEntry(
                "provider connections",
                "calls of a process at once",
                "calls",
                "shop/payments/http_provider.py MAX_CONNECTIONS",
            ),
            LimitEntry(
                "provider without a timeout",
                "one call with `payments.timeout` off",
                "ms",
                "shop/wiring.py WITHOUT_LIMIT_MS",
            ),
        ),
        "Queue, worker and mail": (
            LimitEntry("SHOP_QUEUE_THREADS", "messages that a worker handles at once", "messages"),
            LimitEntry("SHOP_QUEUE_PREFETCH", "messages that a worker has fetched", "messages"),
            LimitEntry("SHOP_QUEUE_LENGTH", "messages in a queue", "messages"),
            LimitEntry("SHOP_QUEUE_ATTEMPTS", "attempts of a message", "attempts"),
            LimitEntry(
                "broker step, Valkey",
                "one step of a call",
                "s",
                "shop/patterns/queue/valkey.py TIMEOUT_S",
                "No shopper waits for it: the outbox keeps the message.",
            ),
            LimitEntry(
                "broker step, RabbitMQ",
                "connecting, and one step of a call",
                "s",
                "shop/patterns/queue/rabbitmq.py CONNECT_TIMEOUT_S",
                "As for Valkey.",
            ),
            LimitEntry(
                "broker full",
                "a publication to a full RabbitMQ",
                "s",
                "shop/patterns/queue/rabbitmq.py BLOCKED_TIMEOUT_S",
            ),
            LimitEntry("SHOP_MAIL_TIMEOUT_MS", "one step with the mail server", "ms"),
            LimitEntry(
                "mailbox",
                "mails in the lab's mailbox",
                "mails",
                "shop/mail/reaper.py MAILBOX_LIMIT",
            ),
            LimitEntry("worker stop", "a running round at a stop", "s", "shop/worker.py STOP_S"),
            LimitEntry(
                "pending purges",
                "tags that the purger repeats",
                "tags",
                "shop/patterns/edge/tag_purger.py MAX_PENDING_TAGS",
            ),
            LimitEntry("slowest fill", "a fill of the edge", "s", "shop/patterns/edge/tag_purger.py SLOWEST_FILL_S"),
        ),
        "Probes": (
            LimitEntry("check", "the check of one server", "s", "shop/patterns/health/checks.py TIMEOUT_S"),
            LimitEntry("readiness", "all checks together", "s", "shop/patterns/health/readiness.py TIMEOUT_S"),
            LimitEntry("probe", "one answer of `/readyz`", "s", "shop/patterns/health/readiness.py MAX_WAIT_S"),
        ),
        "Logs and files": (
            LimitEntry("log lines", "each JSON log", "bytes", "shop/patterns/observability/json_lines.py MAX_BYTES"),
            LimitEntry("server log", "each server's own log", "bytes", "shop/stack/log_rotation.py MAX_LOG_BYTES"),
            LimitEntry(
                "edge log",
                "the edge's log",
                "bytes",
                "shop/patterns/edge/hit_counter.py LOG_MAX_BYTES",
            ),
            LimitEntry(
                "edge store on disk",
                "what `bin/shop status` says of the edge's store",
                "bytes",
                "shop/stack/var_usage.py EDGE_STORE_BYTES",
            ),
        ),
    }
)
"""By subject."""
ENTRIES: Mapping[str, LimitEntry] = MappingProxyType(
    {entry.name: entry for group in LIMITS.values() for entry in group}
)
"""By name."""
RESERVED_CONNECTIONS = 20
"""Three are PostgreSQL's own (`superuser_reserved_connections`). The rest are for the readiness check of each process,
and for commands such as `bin/shop sql`, a backup or a migration."""
