"""Settings: the only module that reads the environment.

Every setting is a field of :class:`Settings`, which is frozen. Variables start with ``SHOP_``. The addresses of other
servers have the names that hosting platforms already use for them.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from shop.errors import ConfigurationError

PREFIX = "SHOP_"
PROJECT_ROOT = Path(__file__).resolve().parent.parent

MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "int_parsing": "is not a whole number",
        "int_parsing_size": "is not a whole number",
        "int_from_float": "is not a whole number",
        "float_parsing": "is not a number",
        "bool_parsing": "is neither true nor false",
        "literal_error": "is not {expected}",
        "greater_than_equal": "is less than {ge}",
        "greater_than": "is not more than {gt}",
        "less_than_equal": "is more than {le}",
        "address": "is not {kind}",
    }
)
"""Messages by Pydantic's type of error, for readers who do not know Pydantic."""

VALKEY_SCHEMES = frozenset({"redis", "rediss", "unix"})
AMQP_SCHEMES = frozenset({"amqp", "amqps"})
ADDRESSES: Mapping[str, tuple[frozenset[str], str]] = MappingProxyType(
    {
        "database_url": (
            frozenset({"postgresql", "postgres"}),
            "a PostgreSQL address; write postgresql://user:password@host:5432/name",
        ),
        "cache_url": (VALKEY_SCHEMES, "a Redis or Valkey address; write redis://:password@host:6379/0"),
        "broker_url": (
            VALKEY_SCHEMES | AMQP_SCHEMES,
            "the address of a Redis or Valkey, nor of a RabbitMQ; write redis://:password@host:6379/0 or"
            " amqp://user:password@host:5672/%2F",
        ),
        "payments_url": (frozenset({"http", "https"}), "an HTTP address; write https://host:port"),
        "mail_url": (frozenset({"smtp", "smtps"}), "a mail server's address; write smtp://user:password@host:587"),
    }
)
"""By server: the allowed schemes of its address, and the words for the error message, with an example."""

Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseModel):
    """All settings, with their defaults. Times carry their unit in the name."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    profile: Literal["lab", "production"] = "lab"
    """``lab`` shows switches, timings and demo accounts; ``production`` shows none of them."""
    secret_key: str = ""
    """Signs the guests' cookie and the links in mails, and keys the fingerprints of requests. While it is being
    changed, several, separated by blanks: the first signs, all are accepted. The lab profile makes one and stores it in
    ``var``; production requires it."""
    var_dir: Path = PROJECT_ROOT / "var"
    """Directory of all state."""
    exercises_dir: Path = PROJECT_ROOT / "exercises"
    """Directory of the files that the reader writes in the exercises."""

    database_url: str | None = None
    """PostgreSQL 15 or newer, with a UTF-8 database that only the store uses. A pooler in front must give each client
    its own session. If unset, the stack runs its own server."""
    cache_url: str | None = None
    """Redis 7 or newer, or Valkey; one server that may evict, no cluster. If unset, the stack runs its own server."""
    broker_url: str | None = None
    """Redis 7 or newer, or Valkey (one server that must not evict, no cluster), or RabbitMQ. If unset, the stack runs
    its own server."""
    payments_url: str | None = None
    """The payments provider. If unset, the stack runs its simulator."""
    mail_url: str | None = None
    """The mail server, such as ``smtp://user:password@host:587`` or ``smtps://…``. If unset, mail is stored in a table,
    which the lab shows at ``/lab/mail``."""

    host: str = "127.0.0.1"
    """The address that the store listens on; ``0.0.0.0`` for all addresses of this machine."""
    allowed_hosts: str = ""
    """Further host names of the store, separated by commas, beside that of ``SHOP_PUBLIC_ADDRESS`` and this machine's
    own. A request for any other ``Host`` is answered 421. The lab also allows IP addresses and names without a
    period."""
    port: Port = 8080
    """The port that the store listens on."""
    edge: bool = True
    """Whether the stack runs its caching proxy. The proxy then listens on that port, with the application behind it."""
    tls_cert: Path | None = None
    """The certificate of the edge, followed by its chain (PEM). If unset, the edge speaks plain HTTP."""
    tls_key: Path | None = None
    """The certificate's private key (PEM)."""
    trusted_proxies: str = ""
    """Addresses or networks, separated by commas, whose ``X-Forwarded-*`` and ``X-Edge-Key`` are accepted; none by
    default. The stack adds its own edge."""
    metrics_port: Port = 9464
    """The port of ``/metrics``, never the public port. If unset, ``bin/shop up`` takes a free one."""
    metrics_host: str = "127.0.0.1"
    """A further address on which web, worker and purger answer ``/metrics``, for a scraper on another machine or in
    another container: an address in your own network only, or ``0.0.0.0`` for all addresses of this machine."""
    workers: int = Field(default=2, ge=1, le=64)
    """gunicorn worker processes: one per core. Python code does not run on two cores in one process."""
    threads: int = Field(default=8, ge=1, le=128)
    """Threads per worker. More threads raise the tail latency but not the throughput: they wait for the same core."""

    web_queue_length: int = Field(default=256, ge=1)
    """The most requests of a worker that wait for a thread; further ones are refused."""
    web_queue_wait_ms: int = Field(default=4_000, ge=1)
    """The longest wait of a request for a thread. After it, half of the request's time is left."""

    request_timeout_ms: int = Field(default=8_000, ge=1)
    """The deadline of a request, shared by its calls to other servers: no client waits longer."""

    writes_per_minute: int = Field(default=600, ge=1)
    """Most writes of a client in a minute, other than log-ins. A person sends a few; 600 leave room for a class of
    sixty behind one address, and for a program that edits the catalogue."""
    logins_per_minute: int = Field(default=120, ge=1)
    """Most log-ins and changes of a password of a client in a minute. A class of sixty behind one address may mistype
    once each; 120 guesses at a password cost some ten seconds of a core."""
    registrations_per_minute: int = Field(default=60, ge=1)
    """Most new accounts of a client in a minute: a class of sixty behind one address."""
    tokens_per_minute: int = Field(default=120, ge=1)
    """Most API tokens of a client in a minute; each takes a password, as a log-in does."""

    db_pool_size: int = Field(default=8, ge=1)
    """Connections of a process: one per thread, so no thread waits for a connection."""
    db_pool_timeout_s: float = Field(default=2.0, gt=0)
    """Longest wait of a request for a connection, and never much longer than its deadline; after that the store is
    reported as busy."""
    db_idle_s: int = Field(default=60, ge=15)
    """The database ends a session that is idle for so long. So the connections of a rush are closed; each is a process
    of PostgreSQL with 20 MB."""
    db_connect_timeout_s: int = Field(default=3, ge=1)
    """Longest time to open a connection."""
    db_statement_timeout_ms: int = Field(default=5_000, ge=1)
    """Longest time of one statement; migrations and loads have no limit. If the server hangs and does not end the
    statement, the store closes the connection: half a second later, or half a second after the request's deadline."""
    db_lock_timeout_ms: int = Field(default=2_000, ge=1)
    """Longest wait for one lock: another transaction either finishes soon or is stuck. A statement may wait for several
    locks; its own timeout limits the sum."""

    cache_timeout_ms: int = Field(default=100, ge=1)
    """Longest time that a dead or hanging cache costs a request before the database answers."""
    cache_memory_mb: int = Field(default=64, ge=1)
    """Memory of the stack's own cache before it evicts."""
    cache_local_mb: int = Field(default=16, ge=1)
    """Most memory for the local copies of each process."""
    payments_timeout_ms: int = Field(default=3_000, ge=1)
    """Longest time of one call to the payments provider, and never longer than the request's deadline."""
    idempotency_kept_h: int = Field(default=24, ge=1)
    """Hours for which a response is stored under its idempotency key; after that the key can be used again."""
    payments_slow_ms: int = Field(default=1_000, ge=1)
    """A call to the payments provider that takes longer counts as slow, whether it succeeds or fails."""
    payments_attempts: int = Field(default=3, ge=1, le=10)
    """Most attempts for one call to the payments provider, including the first."""
    payments_retry_share: float = Field(default=0.1, ge=0, le=1)
    """Retry budget: retries per call that a process may make in the long run."""
    payments_breaker_calls: int = Field(default=10, ge=1)
    """Fewest calls within ten seconds before the breaker can open."""
    payments_breaker_open_s: float = Field(default=5.0, gt=0)
    """Seconds from the opening of the breaker to its first probe."""
    payments_api_key: str = ""
    """Authenticates the store to the payments provider. For its own simulator the stack makes one."""
    payments_webhook_secret: str = ""
    """Signs the provider's webhooks; several, separated by blanks, while it is being changed. If unset, all webhooks
    are refused. For its own simulator the stack makes one."""
    payments_webhook_address: str | None = None
    """The address to which the simulator sends its webhooks; the stack sets it."""
    mail_from: str = "shop <orders@shop.test>"
    """The sender of mail."""
    mail_timeout_ms: int = Field(default=5_000, ge=1)
    """Longest time of each step of a conversation with the mail server, and never longer than the caller's deadline."""
    mail_ca_file: Path | None = None
    """Certificates (PEM) of the authorities that are trusted for the mail server. If unset, the machine's own."""
    public_address: str | None = None
    """The store's address for shoppers: for links in mails, link previews and sitemaps. The stack sets it."""
    queue_threads: int = Field(default=2, ge=1, le=32)
    """Messages that a worker handles at the same time."""
    queue_prefetch: int = Field(default=8, ge=1, le=1_000)
    """Messages that a worker fetches from each queue, including those it handles now; more would starve other
    workers."""
    queue_length: int = Field(default=1_000, ge=1)
    """Most messages in a queue of the broker; further messages wait in the outbox."""
    queue_attempts: int = Field(default=12, ge=1)
    """Attempts for a message before it is a dead letter: with the pauses between them, up to 18 minutes."""
    queue_retry_s: float = Field(default=1.0, gt=0)
    """Longest pause after the first failure; it doubles after each further failure, with full jitter."""
    ship_after_s: float = Field(default=0.0, ge=0)
    """Seconds after which a paid order is marked as shipped; 0: only staff mark it."""
    deliver_after_s: float = Field(default=0.0, ge=0)
    """Seconds after which a shipped order is marked as delivered; 0: only staff mark it."""
    session_lifetime_days: int = Field(default=14, ge=1)
    """Days that a browser stays signed in, and that a guest's cart is stored after its last change."""
    token_lifetime_days: int = Field(default=30, ge=1)
    """Days that an API token is valid."""
    switch_refresh_s: float = Field(default=0.8, gt=0, le=1.0)
    """Seconds between two reads of the switches: every process applies a change within a second."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest severity of lines in the log."""

    @field_validator("var_dir", "exercises_dir", "tls_cert", "tls_key")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        """A relative path would mean another directory in a server with another working directory."""
        return value and value.absolute()

    @field_validator(*ADDRESSES)
    @classmethod
    def _address(cls, value: str | None, field: ValidationInfo) -> str | None:
        """A malformed address would fail much later, in a library whose message quotes it with its password."""
        schemes, kind = ADDRESSES[str(field.field_name)]
        if value is not None and not is_address(value, schemes):
            raise PydanticCustomError("address", "is not {kind}", {"kind": kind})
        return value

    @property
    def own_address(self) -> str:
        """Return the store's address for shoppers, without a slash at the end."""
        return (self.public_address or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def scheme(self) -> str:
        """Return the scheme of the store's own port: ``https`` if its edge has a certificate."""
        return "https" if self.edge and self.tls_cert else "http"

    @property
    def metrics_hosts(self) -> tuple[str, ...]:
        """Return the addresses of ``/metrics``; loopback is always among them, because our own commands use it."""
        covers_loopback = self.metrics_host in ("127.0.0.1", "localhost", "0.0.0.0", "::")  # noqa: S104 - the user's choice
        return (self.metrics_host,) if covers_loopback else ("127.0.0.1", self.metrics_host)

    @property
    def is_lab(self) -> bool:
        """Return whether the store runs in the lab profile."""
        return self.profile == "lab"

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Return the secret keys: the first signs, the others are still accepted."""
        return tuple(self.secret_key.split())

    @property
    def log_dir(self) -> Path:
        """Return the directory of the log files."""
        return self.var_dir / "log"

    @property
    def edge_dir(self) -> Path:
        """Return the directory of the edge's cache and files."""
        return self.var_dir / "edge"

    @property
    def edge_answers_file(self) -> Path:
        """Return the file with the totals of the edge's responses since the start of the stack."""
        return self.run_dir / "edge-answers.json"

    @property
    def queue_report_file(self) -> Path:
        """Return the file with the worker's report on outbox and queue."""
        return self.run_dir / "queue-report.json"

    @property
    def live_figures_file(self) -> Path:
        """Return the file of the lab's live figures, which the web processes share."""
        return self.run_dir / "live-figures.json"

    @property
    def run_dir(self) -> Path:
        """Return the directory for the state of the running stack."""
        return self.var_dir / "run"

    def as_environment(self) -> dict[str, str]:
        """Return the environment variables from which another process reads the same settings."""
        fields = self.model_dump(mode="json", exclude_none=True)
        return {variable(name): str(value) for name, value in fields.items()}


def variable(field: str) -> str:
    """Return the environment variable of a field."""
    return field.upper() if field.endswith("_url") else PREFIX + field.upper()


def mask_password(text: str) -> str:
    """Return an address, or a text that quotes one, with its password replaced."""
    masked = re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", text)  # up to the last "@": a password may contain one
    return re.sub(r"([?&](?:ssl)?password=)[^&\s]*", r"\1***", masked)


def is_address(value: str, schemes: frozenset[str]) -> bool:
    """Return whether a text is an address with one of the schemes and a host. Pure."""
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises ValueError if it is no number
    except ValueError:
        return False
    scheme = parts.scheme.partition("+")[0]  # without the driver after the plus
    if scheme in VALKEY_SCHEMES - {"unix"} and not re.fullmatch(r"/?\d*", parts.path):
        return False  # redis-py silently takes a database that is no number for number 0
    return scheme in schemes and bool(parts.hostname or scheme.startswith(("postgres", "unix")))


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read and check the environment.

    Args:
        environ: variables to check for unknown names; the process's own by default.
        overrides: field values that override the environment.

    Raises:
        ConfigurationError: an unknown ``SHOP_`` variable, or an invalid value.
    """
    fields = {variable(name): name for name in Settings.model_fields}
    for name in sorted(os.environ if environ is None else environ):
        if name.upper().startswith(PREFIX) and name.upper() not in fields:
            near = difflib.get_close_matches(name.upper(), fields, n=1, cutoff=0)
            raise ConfigurationError(f"{name} is not a setting; did you mean {near[0]}?")
    values = {fields[name.upper()]: value for name, value in os.environ.items() if name.upper() in fields}
    try:
        settings = Settings.model_validate(values | overrides)
    except ValidationError as error:
        raise ConfigurationError(_first_error(error)) from None
    return settings


def _first_error(error: ValidationError) -> str:
    field_error = error.errors()[0]
    name = variable(str(field_error["loc"][0]).lower()) if field_error["loc"] else "Settings"
    template = MESSAGES.get(field_error["type"])
    message = template.format(**field_error.get("ctx", {})) if template else f"is invalid: {field_error['msg']}"
    value = field_error.get("input")
    shown = mask_password(str(value)) if field_error["type"] == "address" else repr(value)
    return f"{name}={shown} {message}."
