"""How each kind of dependency is asked, over a connection of its own.

A pool that is merely busy must not make the process look unready, and a check must not queue behind shoppers.
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
"""Below readiness' own bound, so that a check says what was wrong instead of being cut off."""


def postgres(url: str) -> tuple[Check, Check]:
    """Return two checks of a database: that it answers, and that its schema is one this release can work with."""
    engine = create_engine(
        sqlalchemy_url(url),
        poolclass=NullPool,
        connect_args={
            "connect_timeout": 2,  # libpq's smallest; readiness has its own bound
            "application_name": "shop readiness",
        },
    )
    event.listen(engine, "do_connect", _connect)
    return lambda: _answers(engine), lambda: _has_schema(engine)


def _connect(dialect: Any, record: ConnectionPoolEntry, given: Any, named: dict[str, Any]) -> StoreConnection:
    """Open a connection as the store does; whether a pooler gives it a session of its own is asked every time."""
    limit = WaitLimit(TIMEOUT_S - GRACE_S)
    return SessionSetup({}, "").connect(lambda: StoreConnection.open(*given, wait_limit=limit, **named))


def valkey(url: str) -> Check:
    """Return a check that a Valkey or Redis does what the store asks of it."""
    return lambda: _tried(try_valkey, url)


def broker(url: str) -> Check:
    """Return a check that the broker, a Valkey or a RabbitMQ, takes what the store sends it."""
    if urlsplit(url).scheme in AMQP_SCHEMES:
        return lambda: _tried(try_rabbitmq, url)
    return valkey(url)


def payments(url: str, api_key: str) -> Check:
    """Return a check that the payments provider answers the store's calls, with the store's key."""
    return lambda: try_payments(url, api_key, TIMEOUT_S)


def _tried(trial: Callable[[str, float], None], url: str) -> None:
    try:
        trial(url, TIMEOUT_S)
    except RefusesWrites as fault:
        raise PartialService("refuses writes", str(fault)) from fault


def _answers(engine: Engine) -> None:
    try:
        with engine.connect() as connection:
            read_only = connection.scalar(text("SHOW transaction_read_only")) == "on"
    except OperationalError as error:
        raise CheckFailed("no answer") from error
    except ConfigurationError as error:
        raise UnfitServer("is behind a pooler in transaction mode, where no time-out holds") from error
    if read_only:
        raise PartialService("read-only", "takes no changes: a standby, or default_transaction_read_only is on")


def _has_schema(engine: Engine) -> None:
    """A newer schema is well: during a deploy it is migrated first, and the old release serves on."""
    try:
        with engine.connect() as connection:
            lacking = pending(connection)
    except OperationalError as error:
        raise CheckFailed("not known: the database does not answer") from error
    except ConfigurationError:
        return
    if lacking:
        raise CheckFailed(f"lacks {len(lacking)} revision(s); run `shop migrate`")
