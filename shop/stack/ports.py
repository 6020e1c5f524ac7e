"""Chooses the ports of the servers, and names the process that holds a taken port."""

import errno
import socket
from collections.abc import Mapping

import psutil

from shop.errors import ConfigurationError
from shop.stack.program import free_port, reserve_port

LOOPBACK = "127.0.0.1"


def choose_ports(names: tuple[str, ...], remembered: Mapping[str, int]) -> dict[str, int]:
    """Return a free loopback port for each server: its earlier port if that is still free.

    Two checkouts on one machine get different ports, and a client can use an address again after a restart.

    Args:
        names: the servers.
        remembered: the earlier ports by server.
    """
    chosen: dict[str, int] = {}
    for name in names:
        port = remembered.get(name, 0)
        while not port or port in chosen.values() or not (is_free(LOOPBACK, port) and reserve_port(port)):
            port = free_port()
        chosen[name] = port
    return chosen


def require_free(host: str, port: int, change: str = "--port or SHOP_PORT", change_host: str = "SHOP_HOST") -> None:
    """Check that a server can listen on a port that the user has chosen.

    Args:
        host: the address to listen on.
        port: the port.
        change: the option or variable that sets the port.
        change_host: the variable that sets the address.

    Raises:
        ConfigurationError: another process holds the port (the message names it if the system tells), or this user has
            no right to listen there.
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
            f"Port {port} is taken{port_holder(port)}; stop that, or choose another port with {change}."
        ) from None


def is_free(host: str, port: int) -> bool:
    """Return whether a server can listen on a port now."""
    try:
        _bind(host, port)
    except OSError:
        return False
    return True


def port_holder(port: int) -> str:
    """Return `` by NAME (pid N)`` for the listener on a port, or an empty string if the system does not tell."""
    try:
        for socket_info in psutil.net_connections("tcp"):
            listens = socket_info.status == psutil.CONN_LISTEN and socket_info.laddr and socket_info.laddr.port == port
            if listens and socket_info.pid:
                return f" by {psutil.Process(socket_info.pid).name()} (pid {socket_info.pid})"
    except (psutil.Error, OSError):
        pass  # macOS tells only root, and a process may end during the search
    return ""


def _bind(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as gunicorn does: a closed connection in TIME_WAIT does not block
        probe.bind((host, port))
        probe.listen(1)
