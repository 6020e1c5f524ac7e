"""Servers the user runs: is the one at this address there, and fit?"""

from urllib.parse import urlsplit

from shop.errors import ConfigurationError
from shop.patterns.health.server_faults import CheckFailed, configuration_error
from shop.settings import AMQP_SCHEMES, Settings, mask_password, variable

POSTGRES_AT_LEAST = 15
VALKEY_AT_LEAST = 7
CONNECT_TIMEOUT_S = 3


def check(settings: Settings, name: str) -> None:
    """Ask the server at one of the four addresses whether it can be used.

    Args:
        settings: where the address is set.
        name: the field, such as ``cache_url``.

    Raises:
        ConfigurationError: the address is malformed, nothing answers there, or what answers is not fit.
    """
    address = str(getattr(settings, name))
    if name == "database_url":
        _check_postgres(address)
    elif name == "payments_url":
        _check_payments(address, settings.payments_api_key)
    elif urlsplit(address).scheme in AMQP_SCHEMES:
        _check_rabbitmq(name, address)
    else:
        _check_valkey(name, address)


def eviction_fault(settings: Settings) -> str:
    """Return in a line why what the cache does when it is full does not fit; empty where it does, or is not known."""
    from shop.patterns.health import valkey_server

    address = str(settings.cache_url)
    unfit = valkey_server.eviction_fault(address, CONNECT_TIMEOUT_S)
    return f"CACHE_URL={mask_password(address)} {unfit}" if unfit else ""


def fault(settings: Settings, name: str) -> str:
    """Return why the server at one of the four addresses cannot be used now; empty when it can."""
    try:
        check(settings, name)
    except ConfigurationError as error:
        return str(error)
    return ""


def _check_postgres(address: str) -> None:
    import psycopg  # here and below: only who sets an address pays for its driver

    from shop.database.connection import StoreConnection
    from shop.database.engine import connection_parameters, require_utf8
    from shop.database.requirements import require_writable
    from shop.database.session import SessionSetup

    given = {**connection_parameters(address), "connect_timeout": CONNECT_TIMEOUT_S}
    try:
        setup = SessionSetup({}, mask_password(address))
        with setup.connect(lambda: StoreConnection.open(**given)) as connection:
            version = connection.info.server_version // 10_000
            require_utf8(connection, mask_password(address))
            require_writable(connection, mask_password(address))
    except psycopg.Error as error:
        raise _postgres_refusal(address, " ".join(str(error).split())) from None
    if version < POSTGRES_AT_LEAST:
        raise ConfigurationError(
            f"DATABASE_URL={mask_password(address)} is PostgreSQL {version}; {POSTGRES_AT_LEAST} or newer is needed."
        )


def _postgres_refusal(address: str, said: str) -> ConfigurationError:
    if "FATAL" not in said:
        return _unreachable("database_url", address, said)
    why = said.rpartition("FATAL:")[2].strip()  # its own word: it is there, and answers
    remedy = "correct the address, or make that user and that database there"
    return configuration_error("database_url", address, CheckFailed(f"refuses the connection ({why})", remedy))


def _check_valkey(name: str, address: str) -> None:
    import redis

    from shop.patterns.health import valkey_server

    try:
        valkey_server.try_valkey(address, CONNECT_TIMEOUT_S)
        with valkey_server.connect(address, CONNECT_TIMEOUT_S) as client:
            found = client.info()
    except CheckFailed as fault:
        raise configuration_error(name, address, fault) from None
    except redis.exceptions.NoPermissionError:
        return  # its user may do all the store does, and may not look at the server
    except redis.RedisError as error:
        raise configuration_error(name, address, valkey_server.explain_error(error)) from None
    version = str(found.get("redis_version", "0"))
    if int(version.split(".")[0]) < VALKEY_AT_LEAST:
        raise ConfigurationError(
            f"{variable(name)}={mask_password(address)} is version {version}; Redis {VALKEY_AT_LEAST} or any Valkey is"
            " needed."
        )
    policy = found.get("maxmemory_policy", "noeviction")
    if name == "broker_url" and policy != "noeviction":
        raise ConfigurationError(
            f"BROKER_URL={mask_password(address)} evicts ({policy}) and would lose messages: set"
            " maxmemory-policy noeviction."
        )


def _check_rabbitmq(name: str, address: str) -> None:
    from shop.patterns.health.rabbitmq_server import try_rabbitmq

    try:
        try_rabbitmq(address, CONNECT_TIMEOUT_S)
    except CheckFailed as fault:
        raise configuration_error(name, address, fault) from None


def _check_payments(address: str, api_key: str) -> None:
    from shop.patterns.health.payments_server import try_payments

    try:
        try_payments(address, api_key, CONNECT_TIMEOUT_S)
    except CheckFailed as fault:
        raise configuration_error("payments_url", address, fault) from None


def _unreachable(name: str, address: str, why: str) -> ConfigurationError:
    return configuration_error(name, address, CheckFailed(f"does not answer ({mask_password(' '.join(why.split()))})"))
