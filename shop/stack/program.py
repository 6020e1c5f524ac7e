"""A server the stack can run: how to start it, and how to ask whether it answers."""

import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

OURS = range(18_000, 32_000)
"""Below what Linux (32768 and up) and macOS (49152 and up) hand out for outgoing connections: a port from there can be
taken by any client between the look and the start."""


@dataclass(frozen=True)
class Program:
    """One process to run.

    Args:
        name: the short name in front of its lines.
        argv: the command.
        port: the TCP port it listens on.
        healthy: answers whether it serves; must return within about a second and never raise.
        env: variables added to the stack's own.
        stop_signal: what asks it to stop well.
        stop_timeout_s: seconds it is given before it is killed.
        log_only: a line that holds this goes to the log and not to the terminal.
    """

    name: str
    argv: tuple[str, ...]
    port: int
    healthy: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: int = 15
    stop_timeout_s: float = 15.0
    log_only: str | None = None


def free_port() -> int:
    """Return a TCP port of the loopback address that was free a moment ago.

    Raises:
        OSError: none is.
    """
    for _ in OURS:
        port = secrets.choice(OURS)  # not by the seeded generator: two tests would get the same
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port between {OURS.start} and {OURS.stop}")


def port_answers(port: int, timeout_s: float = 0.5) -> bool:
    """Tell whether something accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s):
            return True
    except OSError:
        return False
