"""``/metrics`` of a web server with several processes, on its own port, which is never public.

The server's parent calls :func:`prepare` before it starts a child, :func:`serve` when it is ready, and
:func:`remove_process` when a child has ended. prometheus_client reads the environment at its first import, so this
module imports it only after :func:`prepare`.
"""

import os
import shutil
from pathlib import Path

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare(directory: Path) -> None:
    """Empty the directory of the processes' metrics, and set the environment variable that names it.

    Metrics begin at zero with each start of the server: the files of dead processes would be added up for ever.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ[DIRECTORY_VARIABLE] = str(directory)


def serve(port: int, host: str = "127.0.0.1") -> None:
    """Answer ``GET /metrics`` with the sum over all processes, in a daemon thread.

    Raises:
        OSError: the port is in use.
    """
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client types only part of itself
    start_http_server(port, addr=host, registry=registry)


def remove_process(pid: int) -> None:
    """Remove the gauges of a process that has ended; its counters stay in the sums."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
