"""A server the stack can run: how to start it, and how to ask whether it answers."""

import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

OURS = range(18_000, 32_000)
"""Below what Linux (32768 and up) and macOS (49152 and up) hand out for outgoing connections: a port from there can be
taken by any client between the look and the start."""


@dataclass(frozen=True)
class ServerProgram:
    """One process to run.

    Args:
        name: the short name in front of its lines.
        argv: the command.
        port: the TCP port it listens on.
        healthy: answers whether it serves; must return within about a second and never raise.
        env: variables added to the stack's own.
        stop_signal: what asks it to stop well.
        stop_timeout_s: seconds it is given before it is killed.
        flush: empties it, where that can be done; tells whether it was.
        log_only: lines that hold one of these go to the log and not to the terminal.
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
    """Return a free TCP port of the loopback address, kept for this process and the servers it starts.

    Raises:
        OSError: none is.
    """
    for _ in OURS:
        port = secrets.choice(OURS)  # not by the seeded generator: two tests would get the same
        if keep(port, even_if_kept=False):
            return port
    raise OSError(f"no free port between {OURS.start} and {OURS.stop}")


def keep(port: int, *, even_if_kept: bool = True) -> bool:
    """Keep a loopback port from other stacks and from outgoing connections until this process ends.

    A server listens seconds after its port was chosen, and again after it was killed; until then anyone could take it.
    On Linux a bound socket that does not listen prevents that, and still lets a server listen there that sets
    ``SO_REUSEADDR``, as all of ours do. On other systems nothing is kept.

    Args:
        port: which one.
        even_if_kept: also a port that another process keeps, or that connections closed a moment ago still block.

    Returns:
        Whether it could be had.
    """
    kept = socket.socket()
    if even_if_kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        kept.bind(("127.0.0.1", port))
    except OSError:
        kept.close()
        return False
    if sys.platform == "linux":
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.detach()  # open until the process ends
    else:
        kept.close()
    return True


def port_answers(port: int, timeout_s: float = 0.5) -> bool:
    """Tell whether something accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s):
            return True
    except OSError:
        return False
