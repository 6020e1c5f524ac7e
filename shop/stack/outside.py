"""Servers the user runs: is the one at this address there, and fit?"""

import re
import socket
from urllib.parse import urlsplit

from shop.errors import ConfigurationError
from shop.settings import Settings, variable

POSTGRES_AT_LEAST = 15
VALKEY_AT_LEAST = 7
CONNECT_TIMEOUT_S = 3
DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671, "http": 80, "https": 443}


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
        _check_reachable(name, address, {"http", "https"})
    elif name == "broker_url" and urlsplit(address).scheme.startswith("amqp"):
        _check_reachable(name, address, {"amqp", "amqps"})
    else:
        _check_valkey(name, address)


def healthy(settings: Settings, name: str) -> bool:
    """Tell whether the server at one of the four addresses can be used now."""
    try:
        check(settings, name)
    except ConfigurationError:
        return False
    return True


def masked(address: str) -> str:
    """Return an address fit to be shown: without its password."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", address)


def _check_postgres(address: str) -> None:
    import psycopg  # here and below: only who sets an address pays for its driver

    from shop.db import require_utf8, sqlalchemy_url
    from shop.db_requirements import require_writable

    target = sqlalchemy_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(target, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            version = connection.info.server_version // 10_000
            require_utf8(connection, masked(address))
            require_writable(connection, masked(address))
    except psycopg.Error as error:
        raise _unreachable("database_url", address, str(error)) from None
    if version < POSTGRES_AT_LEAST:
        raise ConfigurationError(
            f"DATABASE_URL={masked(address)} is PostgreSQL {version}; {POSTGRES_AT_LEAST} or newer is needed."
        )


def _check_valkey(name: str, address: str) -> None:
    import redis

    try:
        with redis.Redis.from_url(address, socket_timeout=CONNECT_TIMEOUT_S) as client:
            found = client.info()
    except ValueError:
        raise ConfigurationError(
            f"{variable(name)}={masked(address)} is not a Redis or Valkey address; write redis://host:6379/0."
        ) from None
    except redis.RedisError as error:
        raise _unreachable(name, address, str(error)) from None
    version = str(found.get("redis_version", "0"))
    if int(version.split(".")[0]) < VALKEY_AT_LEAST:
        raise ConfigurationError(
            f"{variable(name)}={masked(address)} is version {version}; Redis {VALKEY_AT_LEAST} or any Valkey is needed."
        )
    policy = found.get("maxmemory_policy", "noeviction")
    if name == "broker_url" and policy != "noeviction":
        raise ConfigurationError(
            f"BROKER_URL={masked(address)} evicts ({policy}) and would lose messages: set maxmemory-policy noeviction."
        )


def _check_reachable(name: str, address: str, schemes: set[str]) -> None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in schemes or not host:
        wanted = sorted(schemes)[0]
        raise ConfigurationError(f"{variable(name)}={masked(address)} is not an address; write {wanted}://host:port.")
    try:
        socket.create_connection((host, port or 0), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _unreachable(name, address, str(error)) from None


def _unreachable(name: str, address: str, why: str) -> ConfigurationError:
    reason = masked(" ".join(why.split()))
    return ConfigurationError(
        f"{variable(name)}={masked(address)} does not answer ({reason}):"
        f" start that server, or unset {variable(name)} to use the stack's own."
    )
