"""A server of the stack: its command, its port and its health check; and how a port is chosen and reserved."""

import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SERVER_PORTS = range(18_000, 32_000)
"""Linux gives ports from 32768 on to outgoing connections, macOS from 49152 on. The stack uses lower ones: any client
could take a higher port between the check and the start of the server."""


@dataclass(frozen=True)
class ServerProgram:
    """One process to run.

    Args:
        name: the short name in front of its lines.
        argv: the command.
        port: the TCP port it listens on.
        healthy: the health check. It returns within about a second and never raises.
        env: variables added to those of the supervisor.
        stop_signal: the signal for a clean stop.
        stop_timeout_s: seconds for a clean stop; then the process is killed.
        flush: deletes the server's data and returns whether that succeeded; ``None`` for a server without a flush.
        log_only: a line with one of these texts goes to the log and not to the terminal.
    """

    name: str
    argv: tuple[str, ...]
    port: int
    healthy: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: int = 15
    stop_timeout_s: float = 15.0
    flush: Callable[[], bool] | None = None
    log_only: tuple[str, ...] = ()


def free_port() -> int:
    """Return a free TCP port of the loopback address, reserved for this process and the servers it starts.

    Raises:
        OSError: no port is free.
    """
    for _ in SERVER_PORTS:
        port = secrets.choice(SERVER_PORTS)  # the seeded generator would give two test processes the same port
        if reserve_port(port, even_if_reserved=False):
            return port
    raise OSError(f"no free port between {SERVER_PORTS.start} and {SERVER_PORTS.stop}")


def reserve_port(port: int, *, even_if_reserved: bool = True) -> bool:
    """Reserve a loopback port against other stacks and outgoing connections until this process ends.

    A server listens seconds after its port was chosen, and again after it was killed. In between, another process could
    take the port. On Linux, a bound socket that does not listen prevents this; a server that sets ``SO_REUSEADDR``, as
    all servers of the stack do, can still listen there. On other systems nothing is reserved.

    Args:
        port: the port to reserve.
        even_if_reserved: reserve it also if another process has reserved it, or if connections that were closed a
            moment ago still block it.

    Returns:
        Whether the port could be bound.
    """
    reservation = socket.socket()
    if even_if_reserved:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reservation.bind(("127.0.0.1", port))
    except OSError:
        reservation.close()
        return False
    if sys.platform == "linux":
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.detach()  # open until the process ends
    else:
        reservation.close()
    return True


def port_answers(port: int, timeout_s: float = 0.5) -> bool:
    """Return whether a server accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s):
            return True
    except OSError:
        return False
