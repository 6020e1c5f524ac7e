"""A small client of one Memcached, in its text protocol, and a private server for a check.

The store itself needs no Memcached: the client has what the exercise ``memcached-level`` uses, and no more.
Source: memcached's doc/protocol.txt; doc/protocol-meta.txt for the deletion by version.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_S = 2.0
START_TIMEOUT_S = 5.0
MEMORY_MB = 16
FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\U0010ffff]")
MAX_KEY_BYTES = 250


class MemcachedError(Exception):
    """The server did not answer in time, or refused a command."""


class MemcachedClient:
    """One connection to one server; threads take turns.

    Args:
        address: host and port, or the path of a socket.
    """

    def __init__(self, address: tuple[str, int] | str) -> None:
        self._lock = threading.Lock()
        try:
            if isinstance(address, str):
                self._socket = socket.socket(socket.AF_UNIX)
                self._socket.settimeout(TIMEOUT_S)
                self._socket.connect(address)
            else:
                self._socket = socket.create_connection(address, TIMEOUT_S)
        except OSError as error:
            raise MemcachedError(f"no connection: {error}") from None
        self._replies = self._socket.makefile("rb")

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values of those keys that exist, in one round trip. The server reads the keys in this order."""
        return {key: value for key, (value, _) in self._retrieve("get", keys).items()}

    def gets(self, key: str) -> tuple[bytes, int] | None:
        """Return the value of a key and its version, for :meth:`cas` and :meth:`delete`; ``None`` if it is absent."""
        return self._retrieve("gets", [key]).get(key)

    def set(self, key: str, value: bytes, exptime: int) -> None:
        """Store a value.

        Args:
            key: at most 250 characters of ASCII, without spaces.
            value: at most 1 MB.
            exptime: seconds; 0 for ever. More than 30 days count as a time since 1970.
        """
        self._store("set", key, value, exptime)

    def add(self, key: str, value: bytes, exptime: int) -> bool:
        """Store a value if the key does not exist; return whether it was stored. Arguments as :meth:`set`."""
        return self._store("add", key, value, exptime) == "STORED"

    def cas(self, key: str, value: bytes, exptime: int, version: int) -> bool:
        """Store a value if the key still has this version; return whether it was stored."""
        return self._store("cas", key, value, exptime, f" {version}") == "STORED"

    def delete(self, key: str, version: int | None = None) -> bool:
        """Delete a key; with a version, only if the key still has it. Return whether it was deleted."""
        flags = "" if version is None else f" C{version}"
        return self._command(f"md {_checked(key)}{flags}\r\n".encode()) == "HD"

    def flush_all(self) -> None:
        """Make the server forget everything."""
        self._command(b"flush_all\r\n")

    def close(self) -> None:
        """Close the connection."""
        self._replies.close()
        self._socket.close()

    def _retrieve(self, command: str, keys: Sequence[str]) -> dict[str, tuple[bytes, int]]:
        if not keys:
            return {}
        found: dict[str, tuple[bytes, int]] = {}
        with self._lock:
            self._send(f"{command} {' '.join(map(_checked, keys))}\r\n".encode())
            while (line := self._line()) != "END":
                _, key, _, length, *version = line.split(" ")
                value = self._replies.read(int(length) + 2)[:-2]
                found[key] = (value, int(version[0]) if version else 0)
        return found

    def _store(self, command: str, key: str, value: bytes, exptime: int, version: str = "") -> str:
        head = f"{command} {_checked(key)} 0 {exptime:d} {len(value)}{version}\r\n".encode()
        return self._command(head + value + b"\r\n")

    def _command(self, command: bytes) -> str:
        with self._lock:
            self._send(command)
            return self._line()

    def _send(self, command: bytes) -> None:
        try:
            self._socket.sendall(command)
        except OSError as error:
            raise MemcachedError(f"no answer: {error}") from None

    def _line(self) -> str:
        try:
            line = self._replies.readline().decode().rstrip("\r\n")
        except OSError as error:
            raise MemcachedError(f"no answer: {error}") from None
        if not line or line.split(" ")[0] in ("ERROR", "CLIENT_ERROR", "SERVER_ERROR"):
            raise MemcachedError(line or "the server closed the connection")
        return line


def _checked(key: str) -> str:
    if not key or len(key) > MAX_KEY_BYTES or FORBIDDEN.search(key):
        raise ValueError(
            f"Memcached accepts no such key: {key[:60]!r}, with {len(key)} characters. It takes {MAX_KEY_BYTES} of"
            " ASCII at most, without spaces."
        )
    return key


def find_memcached() -> str | None:
    """Return the path of the server's program; ``None`` if it is not installed."""
    return shutil.which("memcached")


@contextmanager
def private_server(program: str) -> Iterator[str]:
    """Run a server that nothing else uses; yield the path of its socket.

    Args:
        program: path of memcached.

    Raises:
        MemcachedError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="shop-memcached-") as home:
        path = str(Path(home) / "socket")
        user: list[str] = []
        if os.geteuid() == 0:  # memcached refuses to run as root
            Path(home).chmod(0o777)
            user = ["-u", "nobody"]
        process = subprocess.Popen(
            [program, *user, "-s", path, "-a", "0777", "-m", str(MEMORY_MB), "-t", "1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not Path(path).exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise MemcachedError("memcached did not start")
                time.sleep(0.01)
            yield path
        finally:
            process.terminate()
            process.wait()
