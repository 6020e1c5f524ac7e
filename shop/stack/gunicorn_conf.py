"""Settings of gunicorn, each with its reason.

``bin/shop up`` uses them; any other host of the web application can use them as well:
``gunicorn -c python:shop.stack.gunicorn_conf 'shop.app:from_environment()'``
"""

import gc
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from shop.patterns.observability import exporter
from shop.settings import load_settings

_settings = load_settings()

bind = f"{_settings.host}:{_settings.port}"

worker_class = "shop.web.request_worker.QueueingWorker"
"""``gthread`` with a bounded queue: one thread computes while others wait for the database and the cache, and no
library has to be patched. Probes have threads of their own: a process whose request threads all wait answers them."""
workers = _settings.workers
threads = _settings.threads

preload_app = False
"""An engine, a pool or a thread must not cross a fork, so each worker builds its own application. The parent only
imports three libraries. All modules would be 30 MB that two workers share, and 54 MB of resident size."""

worker_connections = 512
"""The most open connections of a worker, busy or kept alive. Further ones wait in the backlog, outside its memory."""
backlog = 512
"""The most connections that the kernel queues. At 1,000 requests/s they wait half a second: a longer queue would serve
clients that have already gone."""
keepalive = 15
"""Seconds until an idle connection is closed. A pause in a browser's burst of requests is shorter. The keep-alive of
the proxy in front is shorter too, because the proxy must be the side that closes."""

timeout = 30
"""Seconds after which a worker without a heartbeat is killed. With ``gthread`` the worker's loop sends it, not a
request: this finds a stuck process. A slow request has its own limits (statement and provider timeouts)."""
graceful_timeout = 10
"""Seconds for running requests to finish at a stop. The slowest request with a limit takes less."""

max_requests = 0
"""Workers are not recycled: that would hide a leak, empty the local caches and disturb every measurement."""

worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()  # noqa: S108 - memory, not a disk
"""The heartbeat is a file. On a busy disk its update can block, and the parent would kill a healthy worker."""

forwarded_allow_ips = ""
"""gunicorn trusts no proxy: only ``shop/web/trusted_proxy.py`` decides which ones the store trusts."""

limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
"""Enough for any browser."""

accesslog = None
"""The application writes one structured line for each request; a second one would cost as much and say less."""
errorlog = "-"
loglevel = "warning" if _settings.log_level == "info" else _settings.log_level
proc_name = "shop-web"
control_socket_disable = True
"""It would be one socket in the home directory for all stacks of a user."""


def on_starting(server: Any) -> None:
    """Prepare the folder of the workers' metrics before the first worker starts."""
    exporter.prepare(_settings.run_dir / "metrics")


SHARED_MODULES = ("flask_openapi3", "limits", "redis")
"""Libraries with much code that a store hardly touches: a page of memory is shared until it is touched. With two
workers they save 6 MB of the stack's proportional size, and add 16 MB to its resident size."""


def share_modules() -> None:
    """Import the libraries that all workers share."""
    for name in SHARED_MODULES:
        import_module(name)


def post_fork(server: Any, worker: Any) -> None:
    """Disable garbage collection while a worker loads its modules: 0.79 s of processor time instead of 0.96."""
    gc.disable()


def post_worker_init(worker: Any) -> None:
    """Exclude all loaded objects from later garbage collections: they stay until the process ends."""
    gc.collect()
    gc.freeze()
    gc.enable()


def when_ready(server: Any) -> None:
    """Import what the workers share, and answer ``/metrics`` from the parent, which reads the metrics of all workers.

    The server's port is bound already, so requests wait in the backlog meanwhile and are not refused.

    The parent's objects are excluded from later garbage collections, before the first fork. A collection in a worker
    would write to the header of each object, and so copy each memory page that it shares with the parent: 2.5 MB for
    each worker.
    """
    share_modules()
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
    """Delete the metrics of an ended worker."""
    exporter.remove_process(worker.pid)


def worker_exit(server: Any, worker: Any) -> None:
    """Close all connections and stop the threads of a worker that ends."""
    application = getattr(worker, "wsgi", None)
    runtime = getattr(application, "extensions", {}).get("runtime")
    if runtime is not None:
        runtime.close()
