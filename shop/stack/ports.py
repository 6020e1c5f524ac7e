"""Which ports the servers listen on, and who has one that is taken."""

import errno
import socket
from collections.abc import Mapping

import psutil

from shop.errors import ConfigurationError
from shop.stack.program import free_port, keep

LOOPBACK = "127.0.0.1"


def choose(names: tuple[str, ...], remembered: Mapping[str, int]) -> dict[str, int]:
    """Return a free loopback port for each server: the one it had before where that is still free.

    Two clones side by side never meet, and a client that noted an address finds the server there again.
    """
    chosen: dict[str, int] = {}
    for name in names:
        port = remembered.get(name, 0)
        while not port or port in chosen.values() or not (is_free(LOOPBACK, port) and keep(port)):
            port = free_port()
        chosen[name] = port
    return chosen


def require_free(host: str, port: int, change: str = "--port or SHOP_PORT", change_host: str = "SHOP_HOST") -> None:
    """Make sure a port that is not ours to choose can be listened on.

    Args:
        host: on which address.
        port: the port.
        change: what the user sets to choose another.
        change_host: what the user has set to name the address.

    Raises:
        ConfigurationError: it is taken (names the holder where that can be known), or this user may not.
    """
    try:
        _bind(host, port)
    except PermissionError:
        raise ConfigurationError(
            f"Port {port} needs rights this user lacks; choose one above 1023 with {change}."
        ) from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise ConfigurationError(f"{change_host}={host}: cannot listen there: {error.strerror}.") from None
        raise ConfigurationError(
            f"Port {port} is taken{holder(port)}; stop that, or choose another with {change}."
        ) from None


def is_free(host: str, port: int) -> bool:
    """Tell whether a port can be listened on now."""
    try:
        _bind(host, port)
    except OSError:
        return False
    return True


def holder(port: int) -> str:
    """Return `` by NAME (pid N)`` for the listener on a port, or an empty string where the system does not tell."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.laddr and found.laddr.port == port and found.status == psutil.CONN_LISTEN and found.pid:
                return f" by {psutil.Process(found.pid).name()} (pid {found.pid})"
    except (psutil.Error, OSError):
        pass  # macOS tells only root, and a process may end while we look
    return ""


def _bind(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does: TIME_WAIT is no holder
        probe.bind((host, port))
        probe.listen(1)
