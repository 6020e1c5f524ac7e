"""gunicorn's settings for the simulator: one process, so that what it has charged is in one place."""

import gc
from typing import Any

worker_class = "gthread"
workers = 1
threads = 32
"""The simulator answers slowly on purpose: a slow one must not make the others wait."""
loglevel = "warning"
graceful_timeout = 3
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Leave what the parent holds out of every collection, before the fork.

    A collection in the worker would write to the head of each object, and so make a copy of each page the two share:
    1.7 MB.
    """
    gc.collect()
    gc.freeze()
