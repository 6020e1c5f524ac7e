"""gunicorn's settings, each with its reason.

``shop up`` uses them, and so can any other host of the web application:
``gunicorn -c python:shop.stack.gunicorn_conf 'shop.app:from_environment()'``
"""

import gc
import sys
import tempfile
from pathlib import Path
from typing import Any

from shop.patterns.observability import exporter
from shop.settings import load_settings

_settings = load_settings()

bind = f"{_settings.host}:{_settings.port}"

worker_class = "shop.web.probe_worker.ProbeAnsweringWorker"
"""``gthread``: threads wait for the database and the cache while another one computes; no library has to be patched for
it. The probes have threads of their own, so a process whose request threads all wait still says that it lives."""
workers = _settings.workers
threads = _settings.threads

preload_app = False
"""An engine, a pool or a thread must not cross a fork: each worker builds its own. Nor does code cross: a parent that
has read the modules as well adds 60 MB to the stack's resident size. It would save 30 MB of what is really used, and a
second when a worker that died starts again."""

worker_connections = 512
"""Connections a worker holds open, busy or kept alive. Those beyond wait in the backlog, outside our memory."""
backlog = 512
"""Connections the kernel queues before it refuses. At 1,000 requests/s this is half a second of waiting: a longer queue
serves answers whose readers have gone."""
keepalive = 15
"""Seconds an idle connection is kept: longer than the pause between two clicks of a browser's burst, and longer than a
proxy in front keeps its own, which must be the one to close."""

timeout = 30
"""Seconds after which a worker that no longer beats is killed. With ``gthread`` the beat is the worker's loop, not a
request: this catches a stuck process, and a slow request has its own bounds (statement and provider timeouts)."""
graceful_timeout = 10
"""Seconds running requests get to finish when stopping: longer than the slowest bounded one."""

max_requests = 0
"""Workers are not recycled: that would hide a leak, empty the local caches and put a dip into every measurement."""

worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()  # noqa: S108 - memory, not a disk
"""The heartbeat is a file: on a busy disk its update can block, and a healthy worker would be killed for it."""

forwarded_allow_ips = ""
"""Nobody's: ``shop/web/trusted_proxy.py`` alone decides whom to believe."""

limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
"""Enough for any browser; a head larger than this is no shopper's."""

accesslog = None
"""The application writes one structured line a request; a second one would cost as much and say less."""
errorlog = "-"
loglevel = "warning" if _settings.log_level == "info" else _settings.log_level
proc_name = "shop-web"
control_socket_disable = True
"""One socket in the home directory for all: two stacks side by side would fight for it."""


def on_starting(server: Any) -> None:
    """Make room for the workers' figures before the first of them starts."""
    exporter.prepare(_settings.run_dir / "metrics")


def post_fork(server: Any, worker: Any) -> None:
    """Collect no garbage while a worker loads, which makes next to none: 0.79 s of processor time instead of 0.96."""
    gc.disable()


def post_worker_init(worker: Any) -> None:
    """Leave what a worker has loaded out of every later collection: it stays for as long as the process does."""
    gc.collect()
    gc.freeze()
    gc.enable()


def when_ready(server: Any) -> None:
    """Answer ``/metrics`` from the parent: it sees what all workers have counted.

    What the parent holds is left out of every collection from here on, before the first fork. A collection in a worker
    would write to the head of each object, and so make a copy of each page the two share: 2.5 MB a worker.
    """
    for host in _settings.metrics_hosts:
        try:
            exporter.serve(_settings.metrics_port, host)
        except OSError as error:
            sys.exit(
                f"shop: /metrics cannot be answered on {host}:{_settings.metrics_port} ({error.strerror}):"
                " choose another SHOP_METRICS_PORT, or set SHOP_METRICS_HOST to an address of this machine."
            )
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Forget a worker that is gone."""
    exporter.forget(worker.pid)


def worker_exit(server: Any, worker: Any) -> None:
    """Give back every connection and stop the threads of a worker that ends."""
    application = getattr(worker, "wsgi", None)
    runtime = getattr(application, "extensions", {}).get("runtime")
    if runtime is not None:
        runtime.close()
