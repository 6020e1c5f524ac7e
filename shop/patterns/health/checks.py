"""The health check of each kind of dependency; each check opens its own connection.

A busy connection pool must not make the process unready, and a check must not wait for the requests of shoppers.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from shop.database.connection import GRACE_S, StoreConnection, WaitLimit
from shop.database.engine import sqlalchemy_url
from shop.database.schema import pending
from shop.database.session import SessionSetup
from shop.errors import ConfigurationError
from shop.patterns.health.payments_server import try_payments
from shop.patterns.health.rabbitmq_server import try_rabbitmq
from shop.patterns.health.readiness import PartialService
from shop.patterns.health.server_faults import CheckFailed, RefusesWrites, UnfitServer
from shop.patterns.health.valkey_server import try_valkey
from shop.settings import AMQP_SCHEMES

Check = Callable[[], None]

TIMEOUT_S = 0.8
"""It is shorter than the timeout of readiness, so that a check can report its fault."""


def postgres(url: str) -> tuple[Check, Check]:
    """Return two checks of a database: that it answers, and that this release can work with its schema."""
    engine = create_engine(
        sqlalchemy_url(url),
        poolclass=NullPool,
        connect_args={
            "connect_timeout": 2,  # libpq's minimum; readiness has its own timeout
            "application_name": "shop readiness",
        },
    )

    def connect(dialect: Any, record: ConnectionPoolEntry, arguments: Any, options: dict[str, Any]) -> StoreConnection:
        """Open a connection as the store does; check each time whether a pooler gives it its own session."""
        limit = WaitLimit(TIMEOUT_S - GRACE_S)
        return SessionSetup({}, "").connect(lambda: StoreConnection.open(*arguments, wait_limit=limit, **options))

    event.listen(engine, "do_connect", connect)
    return lambda: _check_answer(engine), lambda: _check_schema(engine)


def valkey(url: str) -> Check:
    """Return a check that a Valkey or Redis executes the store's commands."""
    return lambda: _check_writes(try_valkey, url)


def broker(url: str) -> Check:
    """Return a check that the broker, a Valkey or a RabbitMQ, accepts the store's messages."""
    if urlsplit(url).scheme in AMQP_SCHEMES:
        return lambda: _check_writes(try_rabbitmq, url)
    return valkey(url)


def payments(url: str, api_key: str) -> Check:
    """Return a check that the payments provider answers a call with the store's key."""
    return lambda: try_payments(url, api_key, TIMEOUT_S)


def _check_writes(trial: Callable[[str, float], None], url: str) -> None:
    """Run a trial; a server that only refuses writes is a :class:`PartialService`."""
    try:
        trial(url, TIMEOUT_S)
    except RefusesWrites as fault:
        raise PartialService("refuses writes", str(fault)) from fault


def _check_answer(engine: Engine) -> None:
    """Check that the database answers, and accepts changes."""
    try:
        with engine.connect() as connection:
            read_only = connection.scalar(text("SHOW transaction_read_only")) == "on"
    except OperationalError as error:
        raise CheckFailed("no answer") from error
    except ConfigurationError as error:
        raise UnfitServer("is behind a pooler in transaction mode, where no time-out holds") from error
    if read_only:
        raise PartialService("read-only", "takes no changes: a standby, or default_transaction_read_only is on")


def _check_schema(engine: Engine) -> None:
    """Check for missing revisions; a newer schema is fine: a deployment migrates first, while the old release runs."""
    try:
        with engine.connect() as connection:
            missing = pending(connection)
    except OperationalError as error:
        raise CheckFailed("not known: the database does not answer") from error
    except ConfigurationError:
        return
    if missing:
        raise CheckFailed(f"lacks {len(missing)} revision(s); run `bin/shop migrate`")
