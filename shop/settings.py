"""The one reader of the environment.

Everything tunable is a field of :class:`Settings`, frozen once read. Variables start with ``SHOP_``;
the addresses of outside servers keep the names every platform already uses for them.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shop.errors import ConfigurationError

PREFIX = "SHOP_"
PROJECT_ROOT = Path(__file__).resolve().parent.parent

PLAIN_WORDS: Mapping[str, str] = MappingProxyType(
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
"""Pydantic's kinds of fault that a setting can have, as somebody says them who has never heard of Pydantic."""

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
"""Each outside server: the schemes its address may have, and what the address must be, with an example."""

Port = Annotated[int, Field(ge=1, le=65535)]


def _url(name: str) -> AliasChoices:
    """Read an outside server's address from the unprefixed variable."""
    return AliasChoices(name, name.lower())


class Settings(BaseSettings):
    """All settings, with their defaults. Times carry their unit in the name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True
    )

    profile: Literal["lab", "production"] = "lab"
    """``lab`` shows its insides (switches, timings, demo accounts); ``production`` shows nothing."""
    secret_key: str = ""
    """Signs the guests' cookie and the links in mails, and keys the fingerprints of requests. Several, separated by
    blanks, while it is being changed: the first signs, all are believed. The lab profile makes one and keeps it in
    ``var``; production demands it."""
    var_dir: Path = PROJECT_ROOT / "var"
    """Where all state lives."""

    database_url: str | None = Field(default=None, validation_alias=_url("DATABASE_URL"))
    """PostgreSQL 15 or newer, a database in UTF-8 of the store's own, behind a pooler only if that gives each client a
    session; unset, the stack runs its own."""
    cache_url: str | None = Field(default=None, validation_alias=_url("CACHE_URL"))
    """Redis 7 or newer, or Valkey, one server and no cluster, that may evict; unset, the stack runs its own."""
    broker_url: str | None = Field(default=None, validation_alias=_url("BROKER_URL"))
    """Redis 7 or newer, or Valkey, one server and no cluster, that must not evict; or RabbitMQ; unset, the stack runs
    its own."""
    payments_url: str | None = Field(default=None, validation_alias=_url("PAYMENTS_URL"))
    """The payments provider; unset, the stack runs its simulator."""
    mail_url: str | None = Field(default=None, validation_alias=_url("MAIL_URL"))
    """The mail server, as ``smtp://user:password@host:587`` or ``smtps://…``; unset, mail is kept in a table, which the
    lab shows at ``/lab/mail``."""

    host: str = "127.0.0.1"
    """The address the store listens on; ``0.0.0.0`` for all of this machine's."""
    allowed_hosts: str = ""
    """Further names under which the store may be asked for, separated by commas, beside that of
    ``SHOP_PUBLIC_ADDRESS`` and this machine's own; any other ``Host`` is answered 421. In the lab addresses of digits
    and names without a period are taken too."""
    port: Port = 8080
    """The port the store listens on."""
    edge: bool = True
    """Whether the stack puts its caching proxy in front; on that port then, with the application behind it."""
    tls_cert: Path | None = None
    """The certificate with which the edge speaks TLS, its chain behind it (PEM); unset, it speaks plain HTTP."""
    tls_key: Path | None = None
    """The certificate's private key (PEM)."""
    trusted_proxies: str = ""
    """Addresses or networks, separated by commas, whose ``X-Forwarded-*`` and ``X-Edge-Key`` are believed; nobody's by
    default. The stack names its own edge here."""
    metrics_port: Port = 9464
    """Where ``/metrics`` is answered, never the public port; unset, ``shop up`` takes a free one."""
    metrics_host: str = "127.0.0.1"
    """A further address on which web, worker and purger answer ``/metrics``, for a scraper on another machine or in
    another container: one that leads into your own network alone, or ``0.0.0.0`` for all of this machine's."""
    workers: int = Field(default=2, ge=1, le=64)
    """gunicorn worker processes: one a core; Python code does not run on two cores in one process."""
    threads: int = Field(default=8, ge=1, le=128)
    """Threads a worker. More raise the tail latency, not the throughput: they wait on the same core."""

    request_timeout_ms: int = Field(default=8_000, ge=1)
    """The deadline of a request, which its calls to other servers share: who waits longer has left."""

    db_pool_size: int = Field(default=8, ge=1)
    """Connections a process keeps: one a thread, so no thread queues for one."""
    db_pool_timeout_s: float = Field(default=2.0, gt=0)
    """What a request waits for a connection, at most, before it is told that the store is busy."""
    db_idle_s: int = Field(default=60, ge=15)
    """After so long without use the database ends a session: a rush's connections are given back, each a process of
    PostgreSQL with 20 MB."""
    db_connect_timeout_s: int = Field(default=3, ge=1)
    """What opening a connection may take."""
    db_statement_timeout_ms: int = Field(default=5_000, ge=1)
    """What one statement may take; migrations and loads have no bound. Where the server does not end it, because it
    hangs, the store does: half a second later, or half a second after the request's deadline."""
    db_lock_timeout_ms: int = Field(default=2_000, ge=1)
    """What one wait for a lock may take; a locked row is somebody else's work, soon done or stuck. A statement that
    meets several waits as often; its own time-out bounds the whole."""

    cache_timeout_ms: int = Field(default=100, ge=1)
    """What a dead or hanging cache may cost a request, at most, before the database answers."""
    cache_memory_mb: int = Field(default=64, ge=1)
    """What the stack's own cache holds before it evicts."""
    cache_local_mb: int = Field(default=16, ge=1)
    """What each process's local copies may take, at most."""
    payments_timeout_ms: int = Field(default=3_000, ge=1)
    """What one call to the payments provider may take, never more than the request has left."""
    idempotency_kept_h: int = Field(default=24, ge=1)
    """Hours an answer is kept under its idempotency key; after that the key may be used anew."""
    payments_slow_ms: int = Field(default=1_000, ge=1)
    """A call to the payments provider that takes longer counts as slow, whatever it answers."""
    payments_attempts: int = Field(default=3, ge=1, le=10)
    """How often one call to the payments provider is tried, the first time counted."""
    payments_retry_share: float = Field(default=0.1, ge=0, le=1)
    """Retries a process may make for each call, in the long run."""
    payments_breaker_calls: int = Field(default=10, ge=1)
    """Calls within ten seconds without which the breaker does not judge."""
    payments_breaker_open_s: float = Field(default=5.0, gt=0)
    """Seconds from opening the breaker to its first probe."""
    payments_api_key: str = ""
    """What the store shows the payments provider to be known by. For its own simulator the stack makes one."""
    payments_webhook_secret: str = ""
    """Signs the provider's webhooks, several separated by blanks while it is being changed; unset, all are refused. For
    its own simulator the stack makes one."""
    payments_webhook_address: str | None = None
    """Where the simulator sends its webhooks; the stack says so."""
    mail_from: str = "shop <orders@shop.test>"
    """The address mail comes from."""
    mail_timeout_ms: int = Field(default=5_000, ge=1)
    """What each step of a conversation with the mail server may take."""
    mail_ca_file: Path | None = None
    """Certificates (PEM) of the authorities trusted to name the mail server; unset, the machine's own are."""
    public_address: str | None = None
    """Where shoppers find the store, for links in mails, link previews and sitemaps; the stack says so."""
    queue_threads: int = Field(default=2, ge=1, le=32)
    """Messages a worker handles at the same time."""
    queue_prefetch: int = Field(default=8, ge=1, le=1_000)
    """Messages a worker fetches ahead of each queue, those being handled counted; more starve the other workers."""
    queue_length: int = Field(default=1_000, ge=1)
    """Messages a queue of the broker holds; beyond it they wait in the outbox, where there is room."""
    queue_attempts: int = Field(default=12, ge=1)
    """How often a message is tried before it is a dead letter: with the pauses between, up to 18 minutes in all."""
    queue_retry_s: float = Field(default=1.0, gt=0)
    """Bound of the pause after the first failure; twice that after the second, and so on, with full jitter."""
    ship_after_s: float = Field(default=0.0, ge=0)
    """Seconds after which a paid order is shipped by itself; 0: when staff say so."""
    deliver_after_s: float = Field(default=0.0, ge=0)
    """Seconds after which a shipped order has arrived by itself; 0: when staff say so."""
    session_lifetime_days: int = Field(default=14, ge=1)
    """How long a browser stays signed in, and how long a guest's cart is remembered after its last change."""
    token_lifetime_days: int = Field(default=30, ge=1)
    """How long an API token is good for."""
    switch_refresh_s: float = Field(default=0.8, gt=0, le=1.0)
    """Seconds between two readings of the switches: a change is in force everywhere within a second."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are kept."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read only what was passed and the environment: no hidden files."""
        return init_settings, env_settings

    @field_validator("var_dir", "tls_cert", "tls_key")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        """A relative path would be another one in a server that was started elsewhere."""
        return value and value.absolute()

    @field_validator(*ADDRESSES)
    @classmethod
    def _address(cls, value: str | None, field: ValidationInfo) -> str | None:
        """A malformed address would be met much later, by a library that quotes it with its password."""
        schemes, kind = ADDRESSES[str(field.field_name)]
        if value is not None and not is_address(value, schemes):
            raise PydanticCustomError("address", "is not {kind}", {"kind": kind})
        return value

    @property
    def own_address(self) -> str:
        """Where shoppers find the store, without a slash at the end."""
        return (self.public_address or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def scheme(self) -> str:
        """How the store is spoken to at its own port: ``https`` where its edge has a certificate."""
        return "https" if self.edge and self.tls_cert else "http"

    @property
    def metrics_hosts(self) -> tuple[str, ...]:
        """Return the addresses figures are answered on: loopback, where our own commands ask, is always among them."""
        covers_loopback = self.metrics_host in ("127.0.0.1", "localhost", "0.0.0.0", "::")  # noqa: S104 - the user's word
        return (self.metrics_host,) if covers_loopback else ("127.0.0.1", self.metrics_host)

    @property
    def is_lab(self) -> bool:
        """Whether the store may show its insides."""
        return self.profile == "lab"

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Return the secret keys: the one that signs, then those that are still believed."""
        return tuple(self.secret_key.split())

    @property
    def log_dir(self) -> Path:
        """Where each process keeps its JSON lines."""
        return self.var_dir / "log"

    @property
    def edge_dir(self) -> Path:
        """Where the edge keeps what it serves."""
        return self.var_dir / "edge"

    @property
    def edge_answers_file(self) -> Path:
        """Where the process beside nginx notes what the edge has answered since the stack was started."""
        return self.run_dir / "edge-answers.json"

    @property
    def run_dir(self) -> Path:
        """Where the running stack keeps what it knows of itself."""
        return self.var_dir / "run"

    def as_environment(self) -> dict[str, str]:
        """Return the variables that make another process read these very settings."""
        found = self.model_dump(mode="json", exclude_none=True)
        return {variable(name): str(value) for name, value in found.items()}


def variable(field: str) -> str:
    """Return the environment variable a field is read from."""
    return field.upper() if field.endswith("_url") else PREFIX + field.upper()


def mask_password(text: str) -> str:
    """Return an address, or a text that quotes one, fit to be shown: without its password."""
    without = re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", text)  # up to the last "@": a password may hold one
    return re.sub(r"([?&](?:ssl)?password=)[^&\s]*", r"\1***", without)


def is_address(value: str, schemes: frozenset[str]) -> bool:
    """Tell whether a text is an address that names one of the schemes and a place. Pure."""
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return False
    scheme = parts.scheme.partition("+")[0]  # a driver behind the plus is not ours to choose
    if scheme in VALKEY_SCHEMES - {"unix"} and not re.fullmatch(r"/?\d*", parts.path):
        return False  # redis-py takes a database that is no number for number 0, without a word
    return scheme in schemes and bool(parts.hostname or scheme.startswith(("postgres", "unix")))


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read and check the environment.

    Args:
        environ: variables to check for unknown names; the process's own by default.
        overrides: field values that win over the environment.

    Raises:
        ConfigurationError: an unknown ``SHOP_`` variable, or a value that does not fit its field.
    """
    _refuse_unknown(os.environ if environ is None else environ)
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        raise ConfigurationError(_first_fault(error)) from None
    return settings


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {variable(name) for name in Settings.model_fields}
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)
            raise ConfigurationError(f"{name} is not a setting; did you mean {near[0]}?")


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    name = variable(str(fault["loc"][0]).lower()) if fault["loc"] else "Settings"
    plain = PLAIN_WORDS.get(fault["type"])
    words = plain.format(**fault.get("ctx", {})) if plain else f"is not fit: {fault['msg']}"
    given = fault.get("input")
    shown = mask_password(str(given)) if fault["type"] == "address" else repr(given)
    return f"{name}={shown} {words}."
