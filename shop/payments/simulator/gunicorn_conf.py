"""gunicorn's settings for the simulator: one process, because the keys in flight are in its memory."""

import gc
from typing import Any

worker_class = "gthread"
workers = 1
threads = 32
"""Some responses are slow on purpose. A slow call must not delay the others."""
loglevel = "warning"
graceful_timeout = 3
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Exclude the parent's objects from garbage collection, before the fork.

    A collection in the worker would write to the header of each object, and so copy every memory page that the two
    processes share: 1.7 MB.
    """
    gc.collect()
    gc.freeze()
