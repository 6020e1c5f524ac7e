"""``/metrics`` for a web server of several processes, on a port of its own that is never public.

The server's parent calls :func:`prepare` before it starts a child, :func:`serve` once it is ready, and
:func:`forget` when a child has ended. prometheus_client looks at the environment when it is first imported, so nothing
here imports it before :func:`prepare` has run.
"""

import os
import shutil
from pathlib import Path

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare(directory: Path) -> None:
    """Empty the folder the processes keep their figures in, and tell them of it through the environment.

    Figures begin at zero with each start of the server: files left by dead processes would be added up for ever.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ[DIRECTORY_VARIABLE] = str(directory)


def serve(port: int, host: str = "127.0.0.1") -> None:
    """Answer ``GET /metrics`` with the sum over all processes, in a daemon thread.

    Raises:
        OSError: the port is taken.
    """
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client types only part of itself
    start_http_server(port, addr=host, registry=registry)


def forget(pid: int) -> None:
    """Drop the gauges of a process that has ended; what it counted stays counted."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
