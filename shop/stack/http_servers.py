"""The Python servers of the stack: the web server, the worker, and the simulator of the payments provider."""

import http.client
import sys
from importlib.util import find_spec

from shop.settings import Settings
from shop.stack.program import ServerProgram

PROBE_TIMEOUT_S = 1.0
_GUNICORN = (sys.executable, "-m", "gunicorn")


def web(settings: Settings) -> ServerProgram:
    """Return the store's web server.

    Args:
        settings: complete, with every address and the secret key.
    """
    return ServerProgram(
        name="web",
        argv=(*_GUNICORN, "-c", "python:shop.stack.gunicorn_conf", "shop.app:from_environment()"),
        port=settings.port,
        healthy=lambda: is_ready(settings.port, client_host(settings.host)),
        env=settings.as_environment(),
    )


def payments(settings: Settings, port: int) -> ServerProgram:
    """Return the payments simulator."""
    conf = "python:shop.payments.simulator.gunicorn_conf"
    return ServerProgram(
        name="payments",
        argv=(*_GUNICORN, "-c", conf, "--bind", f"127.0.0.1:{port}", "shop.payments.simulator.app:create_app()"),
        port=port,
        healthy=lambda: is_ready(port),
        env=settings.as_environment(),
    )


def worker(settings: Settings, port: int, *, with_edge: bool) -> ServerProgram:
    """Return the worker, which runs background jobs.

    Args:
        settings: complete.
        port: where it answers probes.
        with_edge: whether it also purges the edge.
    """
    return ServerProgram(
        name="worker",
        argv=(sys.executable, "-m", "shop.worker", "--port", str(port), *(["--edge"] if with_edge else [])),
        port=port,
        healthy=lambda: is_ready(port),
        env=settings.as_environment(),
    )


def has_payments_simulator() -> bool:
    """Return whether this checkout contains the simulator."""
    return find_spec("shop.payments.simulator") is not None


def is_ready(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether ``/readyz`` of an HTTP server answers 200; a server without that path must only answer (404)."""
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz", headers={"Connection": "close"})
        return connection.getresponse().status in (200, 404)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def client_host(host: str) -> str:
    """Return the host at which a client on this machine reaches a server that listens on ``host``."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
