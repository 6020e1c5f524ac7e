"""The Python servers of the stack: the store, the worker behind it, and the payments provider's stand-in."""

import http.client
import sys
from importlib.util import find_spec

from shop.settings import Settings
from shop.stack.program import ServerProgram

PROBE_TIMEOUT_S = 1.0
_GUNICORN = (sys.executable, "-m", "gunicorn")


def web(settings: Settings) -> ServerProgram:
    """Describe the store's web server.

    Args:
        settings: complete: every address known, the secret key made.
    """
    return ServerProgram(
        name="web",
        argv=(*_GUNICORN, "-c", "python:shop.stack.gunicorn_conf", "shop.app:from_environment()"),
        port=settings.port,
        healthy=lambda: answers(settings.port, reachable(settings.host)),
        env=settings.as_environment(),
    )


def payments(settings: Settings, port: int) -> ServerProgram:
    """Describe the payments simulator."""
    conf = "python:shop.payments.simulator.gunicorn_conf"
    return ServerProgram(
        name="payments",
        argv=(*_GUNICORN, "-c", conf, "--bind", f"127.0.0.1:{port}", "shop.payments.simulator.app:create_app()"),
        port=port,
        healthy=lambda: answers(port),
        env=settings.as_environment(),
    )


def worker(settings: Settings, port: int, *, with_edge: bool) -> ServerProgram:
    """Describe the process behind the store.

    Args:
        settings: complete.
        port: where it answers probes.
        with_edge: whether it does the purger's work too.
    """
    return ServerProgram(
        name="worker",
        argv=(sys.executable, "-m", "shop.worker", "--port", str(port), *(["--edge"] if with_edge else [])),
        port=port,
        healthy=lambda: answers(port),
        env=settings.as_environment(),
    )


def has_payments() -> bool:
    """Tell whether this checkout carries the simulator."""
    return find_spec("shop.payments.simulator") is not None


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether an HTTP server says it is ready; one that has no ``/readyz`` need only answer."""
    status = _status(host, port, "/readyz")
    return status in (200, 404)


def reachable(host: str) -> str:
    """Return the address on which a server that listens on ``host`` can be called from this machine."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound


def _status(host: str, port: int, path: str) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
