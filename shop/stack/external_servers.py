"""Checks the servers that the user runs: does each one answer at its address, and is it fit for the store?

The driver of a server is imported when it is needed: the supervisor of a stack without external servers loads none.
"""

from urllib.parse import urlsplit

from shop.errors import ConfigurationError
from shop.patterns.health.server_faults import CheckFailed, configuration_error
from shop.settings import AMQP_SCHEMES, Settings, mask_password, variable

MIN_POSTGRES_VERSION = 15
MIN_VALKEY_VERSION = 7
CONNECT_TIMEOUT_S = 3


def check(settings: Settings, name: str) -> None:
    """Check that the store can use the server at one of the four addresses.

    Args:
        settings: where the address is set.
        name: the field, such as ``cache_url``.

    Raises:
        ConfigurationError: the address is malformed, no server answers there, or the server is not fit.
    """
    address = str(getattr(settings, name))
    try:
        if name == "database_url":
            _check_postgres(address)
        elif name == "payments_url":
            from shop.patterns.health.payments_server import try_payments

            try_payments(address, settings.payments_api_key, CONNECT_TIMEOUT_S)
        elif urlsplit(address).scheme in AMQP_SCHEMES:
            from shop.patterns.health.rabbitmq_server import try_rabbitmq

            try_rabbitmq(address, CONNECT_TIMEOUT_S)
        else:
            _check_valkey(name, address)
    except CheckFailed as fault:
        raise configuration_error(name, address, fault) from None


def eviction_warning(settings: Settings) -> str:
    """Return why the eviction policy of the cache is unfit, in one line; empty if it is fit, or cannot be read."""
    from shop.patterns.health import valkey_server

    address = str(settings.cache_url)
    unfit = valkey_server.eviction_fault(address, CONNECT_TIMEOUT_S)
    return f"CACHE_URL={mask_password(address)} {unfit}" if unfit else ""


def failure_reason(settings: Settings, name: str) -> str:
    """Return why the store cannot use the server at one of the four addresses now; empty if it can."""
    try:
        check(settings, name)
    except ConfigurationError as error:
        return str(error)
    return ""


def _check_postgres(address: str) -> None:
    import psycopg

    from shop.database.connection import StoreConnection
    from shop.database.engine import connection_parameters, require_utf8
    from shop.database.requirements import require_writable
    from shop.database.session import SessionSetup

    shown = mask_password(address)
    parameters = {**connection_parameters(address), "connect_timeout": CONNECT_TIMEOUT_S}
    try:
        setup = SessionSetup({}, shown)
        with setup.connect(lambda: StoreConnection.open(**parameters)) as connection:
            version = connection.info.server_version // 10_000
            require_utf8(connection, shown)
            require_writable(connection, shown)
    except psycopg.Error as error:
        message = " ".join(str(error).split())
        if "FATAL" not in message:
            raise CheckFailed(f"does not answer ({mask_password(message)})") from None
        reason = message.rpartition("FATAL:")[2].strip()  # PostgreSQL's own word: the server is there and answers
        remedy = "correct the address, or make that user and that database there"
        raise CheckFailed(f"refuses the connection ({reason})", remedy) from None
    if version < MIN_POSTGRES_VERSION:
        raise ConfigurationError(
            f"DATABASE_URL={shown} is PostgreSQL {version}; {MIN_POSTGRES_VERSION} or newer is needed."
        )


def _check_valkey(name: str, address: str) -> None:
    import redis

    from shop.patterns.health import valkey_server

    shown = mask_password(address)
    valkey_server.try_valkey(address, CONNECT_TIMEOUT_S)
    try:
        with valkey_server.connect(address, CONNECT_TIMEOUT_S) as client:
            info = client.info()
    except redis.exceptions.NoPermissionError:
        return  # a user that has all rights of the store, but not the right to INFO
    except redis.RedisError as error:
        raise valkey_server.explain_error(error) from error
    version = str(info.get("redis_version", "0"))
    if int(version.split(".")[0]) < MIN_VALKEY_VERSION:
        raise ConfigurationError(
            f"{variable(name)}={shown} is version {version}; Redis {MIN_VALKEY_VERSION} or any Valkey is needed."
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if name == "broker_url" and policy != "noeviction":
        raise ConfigurationError(
            f"BROKER_URL={shown} evicts ({policy}) and would lose messages: set maxmemory-policy noeviction."
        )
